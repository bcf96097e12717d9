// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_http_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "cluster/core/problem.h"
#include "daemon/host/deadline.h"
#include "daemon/server/client_connection.h"

namespace mcv::server {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

namespace {

constexpr std::chrono::milliseconds http_accept_pause{100};
constexpr int http_accept_batch = 64;

Error failure(std::string_view what, const std::string& path, int code) {
  return Error(ErrorCode::io_error, fmt::format("{} {}: {}", what, path, std::strerror(code)));
}

/// One attempt that does not wait: a client that is one too many is not worth more.
void refuse_politely(Local::socket socket) {
  const Error error = Error(ErrorCode::busy, "the daemon serves as many clients as it can, or as many of yours").with_next("repeat the command in a moment, or end one of yours that waits");
  host::ResponseHead head;
  head.status = 503;
  head.content_type = problem_content_type;
  head.keep_alive = false;
  const std::string text = host::response_text(head, to_client_problem(error).dump());
  boost::system::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(text), ignored);
}

}  // namespace

UnixHttpServer::UnixHttpServer(asio::any_io_executor loop, ServerOptions options, Answerer answerer)
    : loop_(loop), options_(std::move(options)), answerer_(std::move(answerer)), acceptor_(loop), tasks_(loop) {}

UnixHttpServer::~UnixHttpServer() = default;

// Held for the life of the process: "is another daemon alive?" has an answer that does not depend on a stale file.
Status UnixHttpServer::claim() {
  if (lock_.valid()) return success();
  const std::string path = options_.path + ".lock";
  host::Descriptor file(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return failure("open", path, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failure("lock", path, errno);
    return Error(ErrorCode::in_use, fmt::format("another mcvd serves {}", options_.path)).with_next("systemctl status mcvd");
  }
  lock_ = std::move(file);
  return success();
}

Status UnixHttpServer::start() {
  if (options_.path.empty() || options_.path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(ErrorCode::bad_request, fmt::format("'{}' cannot be a socket path: it has more than {} bytes or none", options_.path, sizeof(sockaddr_un::sun_path) - 1));
  }
  MCV_CHECK(claim());
  if (::unlink(options_.path.c_str()) != 0 && errno != ENOENT) return failure("remove the old socket", options_.path, errno);
  boost::system::error_code code;
  acceptor_.open(Local(), code);
  // The mode of the unbound socket becomes the file's: at no moment is it open to more than that.
  if (!code && ::fchmod(acceptor_.native_handle(), options_.mode) != 0) return failure("chmod", options_.path, errno);
  if (!code) acceptor_.bind(Local::endpoint(options_.path), code);
  if (!code && ::chmod(options_.path.c_str(), options_.mode) != 0) return failure("chmod", options_.path, errno);
  if (!code) acceptor_.listen(static_cast<int>(options_.connection_limit), code);
  if (!code) acceptor_.non_blocking(true, code);
  if (code) return failure("listen on", options_.path, code.value());
  tasks_.spawn(accept_all());
  return success();
}

asio::awaitable<void> UnixHttpServer::accept_all() {
  while (acceptor_.is_open()) {
    boost::system::error_code code;
    Local::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, code));
    if (code == asio::error::operation_aborted) co_return;
    if (code) {
      spdlog::warn("accept on {}: {}", options_.path, code.message());
      asio::steady_timer pause(loop_);
      pause.expires_after(http_accept_pause);
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    take(std::move(socket));
    accept_waiting();
  }
}

/// One connection a turn of the loop would let those who are served keep out the others: a turn lasts as long as there are answers to make.
void UnixHttpServer::accept_waiting() {
  for (int taken = 0; taken < http_accept_batch; ++taken) {
    Local::socket socket(loop_);
    boost::system::error_code code;
    acceptor_.accept(socket, code);
    if (code) return;  // nobody waits; anything else the next turn meets again
    take(std::move(socket));
  }
}

void UnixHttpServer::take(Local::socket socket) {
  if (!has_room_for(caller_of(socket.native_handle()).uid)) return refuse_politely(std::move(socket));
  // Counted from here on, not only when its task begins.
  tasks_.spawn(serve(std::make_unique<ClientConnection>(*this, std::move(socket))));
}

bool UnixHttpServer::has_room_for(uid_t uid) const {
  if (connections_.size() >= options_.connection_limit) return false;
  if (uid == 0) return true;
  std::size_t others = 0;
  std::size_t own = 0;
  for (const ClientConnection* connection : connections_) {
    if (connection->uid() != 0) ++others;
    if (connection->uid() == uid) ++own;
  }
  return others < options_.shared_limit() && own < options_.per_user_limit;
}

asio::awaitable<void> UnixHttpServer::serve(std::unique_ptr<ClientConnection> connection) { co_await connection->run(); }

asio::awaitable<void> UnixHttpServer::stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  for (ClientConnection* connection : connections_) connection->stop();
  std::function<void()> give_up = [this]() { tasks_.cancel(); };
  const host::Deadline deadline(loop_, grace, std::move(give_up));
  co_await tasks_.join();
}

}  // namespace mcv::server
