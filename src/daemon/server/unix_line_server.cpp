// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_line_server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <optional>

#include "daemon/host/deadline.h"
#include "daemon/host/stream_transport.h"

namespace mcv::server {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds line_accept_pause{100};

/// Opens, binds and protects: at no moment is the socket open to more than root.
template <typename Protocol, typename Socket>
Status bind_private(Socket& socket, const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return Error(ErrorCode::bad_request, fmt::format("'{}' cannot be a socket path", path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error(ErrorCode::io_error, fmt::format("remove {}: {}", path, std::strerror(errno)));
  boost::system::error_code code;
  socket.open(Protocol(), code);
  if (!code && ::fchmod(socket.native_handle(), 0600) != 0) return Error(ErrorCode::io_error, fmt::format("chmod {}: {}", path, std::strerror(errno)));
  if (!code) socket.bind(typename Protocol::endpoint(path), code);
  if (code) return Error(ErrorCode::io_error, fmt::format("bind {}: {}", path, code.message()));
  return success();
}

}  // namespace

UnixLineServer::UnixLineServer(asio::any_io_executor loop, std::string path, Handler handler)
    : loop_(loop), path_(std::move(path)), handler_(std::move(handler)), acceptor_(loop), tasks_(loop) {}

Status UnixLineServer::start() {
  MCV_CHECK(bind_private<asio::local::stream_protocol>(acceptor_, path_));
  boost::system::error_code code;
  acceptor_.listen(static_cast<int>(connection_limit), code);
  if (code) return Error(ErrorCode::io_error, fmt::format("listen on {}: {}", path_, code.message()));
  tasks_.spawn(accept_all());
  return success();
}

asio::awaitable<void> UnixLineServer::accept_all() {
  while (acceptor_.is_open()) {
    boost::system::error_code code;
    Socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, code));
    if (code == asio::error::operation_aborted) co_return;
    if (code) {
      spdlog::warn("accept on {}: {}", path_, code.message());
      asio::steady_timer pause(loop_);
      pause.expires_after(line_accept_pause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    if (tasks_.running() <= connection_limit) tasks_.spawn(serve(std::move(socket)));
  }
}

asio::awaitable<void> UnixLineServer::serve(Socket socket) {
  host::StreamTransport<Socket> transport(std::move(socket));
  const std::function<void()> close = [&transport]() { transport.close(); };
  boost::system::error_code code;
  std::string line;
  std::optional<host::Deadline> deadline;
  deadline.emplace(loop_, line_deadline, close);
  while (!code && line.find('\n') == std::string::npos && line.size() <= line_limit) co_await transport.read_some(line, code);
  deadline.reset();
  const std::size_t end = line.find('\n');
  if (end == std::string::npos || end > line_limit) co_return;
  line.resize(end);
  std::string answer = co_await handler_(std::move(line));
  answer += '\n';
  deadline.emplace(loop_, line_deadline, close);
  co_await transport.write(std::move(answer), code);
}

asio::awaitable<void> UnixLineServer::stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  tasks_.cancel();
  co_await tasks_.join();
}

UnixDatagramReceiver::UnixDatagramReceiver(asio::any_io_executor loop, std::string path, Handler handler)
    : path_(std::move(path)), handler_(std::move(handler)), socket_(loop), tasks_(loop) {}

Status UnixDatagramReceiver::start() {
  MCV_CHECK(bind_private<asio::local::datagram_protocol>(socket_, path_));
  tasks_.spawn(receive_all());
  return success();
}

asio::awaitable<void> UnixDatagramReceiver::receive_all() {
  std::array<char, size_limit> bytes{};
  while (socket_.is_open()) {
    boost::system::error_code code;
    const auto buffer = asio::buffer(bytes);
    const std::size_t got = co_await socket_.async_receive(buffer, asio::redirect_error(asio::use_awaitable, code));
    if (code == asio::error::operation_aborted) co_return;
    if (code) {
      spdlog::error("no further datagrams on {}: {}", path_, code.message());
      co_return;
    }
    handler_(std::string(bytes.data(), got));
  }
}

asio::awaitable<void> UnixDatagramReceiver::stop() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  tasks_.cancel();
  co_await tasks_.join();
}

}  // namespace mcv::server
