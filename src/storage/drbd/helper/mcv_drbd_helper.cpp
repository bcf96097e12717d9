// SPDX-License-Identifier: Apache-2.0
// The program DRBD's kernel module runs for its events: `mcv-drbd-helper fence-peer mcv-vm1-0`. Needs no
// configuration file: a broken drbd.conf must not decide whether a guest's disk is thawed.
//
// Only fence-peer waits, because only its exit code decides something: it asks mcvd and passes the answer on; without
// one it exits 1 and the kernel keeps I/O held. Everything else runs in DRBD's worker thread, where waiting would stall
// a live guest: one datagram, exit 0.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "storage/drbd/helper/fence_words.h"

namespace {

namespace fence = mcv::drbd::fence;
using std::chrono::milliseconds;

constexpr int no_answer = static_cast<int>(fence::Answer::no_answer);

/// CLOCK_BOOTTIME: does not jump.
milliseconds now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return milliseconds(time.tv_sec * 1000 + time.tv_nsec / 1'000'000);
}

/// The kernel starts programs with descriptors 0 to 2 closed: a socket must not become one of them.
void open_standard_descriptors() {
  int descriptor = 0;
  do {
    descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (descriptor >= 0 && descriptor <= 2);
  if (descriptor > 2) close(descriptor);
}

std::string message_of(std::string_view event, std::string_view resource) {
  const char* address = std::getenv("DRBD_PEER_ADDRESS");
  return fence::message_of(event, resource, address == nullptr ? "" : address);
}

bool to_address(const char* path, sockaddr_un& address) {
  std::memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path, length);
  return true;
}

/// Waits for readiness until `deadline`.
bool wait_ready(int descriptor, short events, milliseconds deadline) {
  for (;;) {
    const milliseconds left = deadline - now();
    if (left <= milliseconds(0)) return false;
    pollfd ready{descriptor, events, 0};
    const int count = poll(&ready, 1, static_cast<int>(left.count()));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

/// Connected, or -1. mcvd may be restarting: a refused connection is tried again for a while.
int connect_until(const char* path, milliseconds deadline) {
  sockaddr_un address{};
  if (!to_address(path, address)) return -1;
  for (;;) {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return descriptor;
    close(descriptor);
    if (now() >= deadline) return -1;
    poll(nullptr, 0, 100);
  }
}

bool send_line(int descriptor, std::string line, milliseconds deadline) {
  line += '\n';
  std::size_t sent = 0;
  while (sent < line.size()) {
    if (!wait_ready(descriptor, POLLOUT, deadline)) return false;
    const ssize_t count = send(descriptor, line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
  return true;
}

std::string receive_line(int descriptor, milliseconds deadline) {
  std::string line;
  char buffer[128];
  while (line.size() < 256) {
    if (!wait_ready(descriptor, POLLIN, deadline)) return "";
    const ssize_t count = recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return "";  // an answer is complete with its newline, or it is none
    line.append(buffer, static_cast<std::size_t>(count));
    if (const std::size_t end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return "";
}

int fence_peer(const char* socket_path, std::string_view resource, milliseconds bound) {
  const milliseconds start = now();
  const milliseconds deadline = start + bound;
  const int descriptor = connect_until(socket_path, start + std::min(bound, fence::connect_bound));
  if (descriptor < 0) return no_answer;
  int code = no_answer;
  if (send_line(descriptor, message_of("fence-peer", resource), deadline)) code = fence::exit_code_in(receive_line(descriptor, deadline));
  close(descriptor);
  return code;
}

void tell(const char* socket_path, std::string_view event, std::string_view resource) {
  sockaddr_un address{};
  if (!to_address(socket_path, address)) return;
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return;
  const std::string message = message_of(event, resource);
  // A full or missing socket loses the event: what must be known is in events2 as well.
  (void)sendto(descriptor, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(descriptor);
}

}  // namespace

// mcv-drbd-helper EVENT RESOURCE [REQUEST_SOCKET EVENT_SOCKET BOUND_MS]; the kernel gives two, tests give five.
int main(int count, char** arguments) {
  open_standard_descriptors();
  if (count != 3 && count != 6) return no_answer;
  const std::string_view event = arguments[1];
  const std::string_view resource = arguments[2];
  const bool given = count == 6;
  if (event != "fence-peer") {
    tell(given ? arguments[4] : fence::event_socket, event, resource);
    return 0;
  }
  const milliseconds bound = given ? milliseconds(std::atoi(arguments[5])) : fence::answer_bound;
  return fence_peer(given ? arguments[3] : fence::request_socket, resource, bound);
}
