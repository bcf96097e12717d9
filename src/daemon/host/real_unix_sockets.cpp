// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_unix_sockets.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "daemon/host/deadline.h"
#include "daemon/host/descriptor.h"
#include "daemon/host/http_wire.h"
#include "daemon/host/stream_transport.h"

namespace mcv::host {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;
using LocalTransport = StreamTransport<Local::socket>;

namespace {

constexpr std::size_t answer_limit = std::size_t{16} << 20;

Status check_socket_path(const std::string& path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string::npos) {
    return Error(ErrorCode::bad_request, fmt::format("'{}' is not an absolute socket path", path));
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(ErrorCode::bad_request, fmt::format("the socket path {} is longer than {} bytes", path, sizeof(sockaddr_un::sun_path) - 1));
  }
  return success();
}

Error connect_failure(const std::string& path, int code) {
  switch (code) {
    case ENOENT: case ENOTDIR: return Error(ErrorCode::not_found, fmt::format("there is no socket {}", path));
    case ECONNREFUSED: return Error(ErrorCode::daemon_unreachable, fmt::format("nobody listens on {}", path));
    case EAGAIN: return Error(ErrorCode::daemon_unreachable, fmt::format("the process behind {} does not accept connections", path));
    case EACCES: case EPERM: return Error(ErrorCode::permission_denied, fmt::format("connect to {}: {}", path, std::strerror(code)));
    default: return Error(ErrorCode::io_error, fmt::format("connect to {}: {}", path, std::strerror(code)));
  }
}

/// Connecting to a unix socket never waits: it succeeds or fails at once.
Result<Local::socket> connect_now(asio::any_io_executor loop, const std::string& path) {
  MCV_CHECK(check_socket_path(path));
  Local::socket socket(loop);
  boost::system::error_code code;
  socket.open(Local(), code);
  if (code) return Error(ErrorCode::io_error, fmt::format("socket: {}", code.message()));
  socket.native_non_blocking(true, code);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  int result = -1;
  do {
    result = ::connect(socket.native_handle(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return connect_failure(path, errno);
  return socket;
}

class SocketStream : public ByteStream {
 public:
  SocketStream(Local::socket socket, std::string first) : transport_(std::make_shared<LocalTransport>(std::move(socket))), first_(std::move(first)) {}
  ~SocketStream() override { transport_->close(); }

  asio::awaitable<Result<std::string>> read_some() override {
    if (!first_.empty()) co_return std::exchange(first_, {});
    const auto transport = transport_;  // outlives this object should it be closed and destroyed meanwhile
    std::string bytes;
    boost::system::error_code code;
    co_await transport->read_some(bytes, code);
    if (!code || code == asio::error::eof || code == asio::error::operation_aborted) co_return bytes;
    co_return Error(ErrorCode::connection_lost, fmt::format("the connection was lost: {}", code.message()));
  }

  asio::awaitable<Status> write(std::string bytes) override {
    const auto transport = transport_;
    boost::system::error_code code;
    co_await transport->write(std::move(bytes), code);
    if (!code) co_return success();
    co_return Error(ErrorCode::connection_lost, fmt::format("the connection was lost: {}", code.message()));
  }

  void finish_writing() override {
    boost::system::error_code ignored;
    transport_->stream().shutdown(Local::socket::shutdown_send, ignored);
  }

  void close() override { transport_->close(); }

  int descriptor() { return transport_->stream().native_handle(); }

 private:
  std::shared_ptr<LocalTransport> transport_;
  std::string first_;
};

}  // namespace

std::unique_ptr<ByteStream> make_byte_stream(Local::socket socket, std::string first) {
  return std::make_unique<SocketStream>(std::move(socket), std::move(first));
}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> RealUnixSockets::connect(std::string path) {
  MCV_CO_TRY(Local::socket socket, connect_now(loop_, path));
  co_return make_byte_stream(std::move(socket));
}

asio::awaitable<Result<HttpResponse>> RealUnixSockets::http(std::string path, HttpRequest request, std::chrono::milliseconds deadline) {
  MCV_CO_TRY(std::string wire, request_text(request, "localhost"));
  MCV_CO_TRY(Local::socket socket, connect_now(loop_, path));
  LocalTransport transport(std::move(socket));
  std::function<void()> close = [&transport]() { transport.close(); };
  const Deadline timer(loop_, deadline, std::move(close));
  bool sent = false;
  Result<HttpResponse> response = co_await http_exchange(transport, std::move(wire), answer_limit, sent);
  if (response.ok()) co_return response;
  const std::string what = fmt::format("{} {} on {}", request.method, request.target, path);
  if (timer.expired()) {
    const double bound = std::chrono::duration<double>(deadline).count();
    co_return Error(ErrorCode::timed_out, fmt::format("{}: no answer within {:g} s", what, bound));
  }
  co_return std::move(response).error().with_context(what);
}

namespace {

// Apart from sockets the unit may be activated with.
constexpr std::string_view kept_prefix = "mcv-kept-";

}  // namespace

void RealUnixSockets::keep(const std::string& name, ByteStream& stream) {
  auto* const own = dynamic_cast<SocketStream*>(&stream);
  if (own == nullptr) return;
  const int descriptor = own->descriptor();
  if (descriptor < 0) return;
  const std::string state = fmt::format("FDSTORE=1\nFDNAME={}{}", kept_prefix, name);
  sd_pid_notify_with_fds(0, 0, state.c_str(), &descriptor, 1);
}

void RealUnixSockets::release(const std::string& name) {
  const std::string state = fmt::format("FDSTOREREMOVE=1\nFDNAME={}{}", kept_prefix, name);
  sd_notify(0, state.c_str());
}

std::unique_ptr<ByteStream> RealUnixSockets::take_kept(const std::string& name) {
  if (!std::exchange(kept_is_read_, true)) {
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(0, &names);
    for (int i = 0; i < count; ++i) {
      const std::string_view kept = names[i];
      if (kept.starts_with(kept_prefix)) {
        Local::socket socket(loop_);
        boost::system::error_code code;
        socket.assign(Local(), SD_LISTEN_FDS_START + i, code);
        if (!code) kept_[std::string(kept.substr(kept_prefix.size()))] = make_byte_stream(std::move(socket));
      }
      std::free(names[i]);
    }
    std::free(names);
  }
  const auto found = kept_.find(name);
  if (found == kept_.end()) return nullptr;
  std::unique_ptr<ByteStream> stream = std::move(found->second);
  kept_.erase(found);
  return stream;
}

Status RealUnixSockets::send_datagram(const std::string& path, const std::string& bytes) {
  MCV_CHECK(check_socket_path(path));
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Error(ErrorCode::io_error, fmt::format("socket: {}", std::strerror(errno)));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const ssize_t put = ::sendto(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (put < 0) return connect_failure(path, errno);
  return success();
}

}  // namespace mcv::host
