// SPDX-License-Identifier: Apache-2.0
#include "cli/unix_stream.h"

#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "cli/interrupts.h"

namespace mcv::cli {
namespace {

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

Error not_connected(const std::string& path, int reason) {
  if (reason == EACCES || reason == EPERM) {
    return Error(ErrorCode::permission_denied, fmt::format("{} is not open to you", path)).with_safe("nothing was asked of mcvd").with_next("sudo hvctl ...");
  }
  if (reason == EAGAIN) {
    return Error(ErrorCode::daemon_unreachable, fmt::format("mcvd takes no connection on {}: it hangs, and others wait already", path))
        .with_safe("guests run without mcvd; nothing was asked of it")
        .with_next("systemctl status mcvd; journalctl -u mcvd -n 50; systemctl restart mcvd (guests go on)");
  }
  return Error(ErrorCode::daemon_unreachable, fmt::format("mcvd does not answer on {} ({})", path, std::strerror(reason)))
      .with_safe("guests run without mcvd; nothing was asked of it")
      .with_next("systemctl start mcvd; if it does not stay up: journalctl -u mcvd -n 50");
}

}  // namespace

UnixStream::~UnixStream() {
  if (descriptor_ >= 0) close(descriptor_);
}

UnixStream::UnixStream(UnixStream&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), timeout_(other.timeout_) {}

UnixStream& UnixStream::operator=(UnixStream&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  timeout_ = other.timeout_;
  return *this;
}

Result<UnixStream> UnixStream::connect(const std::string& path, std::chrono::seconds limit) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return Error(ErrorCode::bad_request, fmt::format("'{}' cannot be a socket's path", path));
  std::memcpy(address.sun_path, path.data(), path.size());
  UnixStream stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (stream.descriptor_ < 0) return Error(ErrorCode::io_error, fmt::format("no socket: {}", std::strerror(errno)));
  // A daemon that hangs takes no connection off its queue: once that is full, connecting would wait for ever.
  const timeval longest{limit.count(), 0};
  setsockopt(stream.descriptor_, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
  if (::connect(stream.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return not_connected(path, errno);
  return stream;
}

bool UnixStream::wait_for(short events, boost::system::error_code& error) {
  pollfd watched{descriptor_, events, 0};
  switch (wait(std::span(&watched, 1), timeout_)) {
    case Waited::ready: return true;
    case Waited::timed_out: error = boost::asio::error::timed_out; return false;
    case Waited::interrupted: error = boost::asio::error::interrupted; return false;
  }
  return false;
}

std::size_t UnixStream::read_some(void* data, std::size_t size, boost::system::error_code& error) {
  error = {};
  if (!wait_for(POLLIN, error)) return 0;
  const ssize_t count = recv(descriptor_, data, size, 0);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) error = boost::asio::error::eof;
  else error = last_error();
  return 0;
}

std::size_t UnixStream::write_some(const void* data, std::size_t size, boost::system::error_code& error) {
  error = {};
  if (!wait_for(POLLOUT, error)) return 0;
  const ssize_t count = send(descriptor_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN) return 0;
  error = last_error();
  return 0;
}

}  // namespace mcv::cli
