// SPDX-License-Identifier: Apache-2.0
#include "speaking_socket.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>
#include <utility>

#include "targets.h"

namespace mcv::fuzz {

SpeakingSocket& SpeakingSocket::get() {
  // Never destroyed: its thread lives as long as the process.
  static SpeakingSocket& only = *new SpeakingSocket;
  return only;
}

SpeakingSocket::SpeakingSocket() : path_(std::string(1, '\0') + fmt::format("mcv-fuzz-{}", getpid())) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 && listen(listener_, 64) == 0, "there is a socket to speak at");
  std::thread([this] { serve(); }).detach();
}

void SpeakingSocket::will_say(std::string text) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

void SpeakingSocket::serve() {
  for (;;) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      text = text_;
    }
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t count = send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    shutdown(client, SHUT_WR);
    char rest[4096];
    while (recv(client, rest, sizeof(rest), 0) > 0) {
    }
    close(client);
  }
}

}  // namespace mcv::fuzz
