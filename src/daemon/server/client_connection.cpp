// SPDX-License-Identifier: Apache-2.0
#include "daemon/server/client_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <utility>

#include "cluster/host/race.h"
#include "cluster/host/relay.h"
#include "cluster/core/problem.h"
#include "daemon/host/deadline.h"
#include "daemon/host/transport_stream.h"

namespace mcv::server {

namespace asio = boost::asio;

namespace {

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Error refusal(host::Arrival arrival, const host::WireLimits& limits) {
  if (arrival == host::Arrival::too_large) {
    return Error(ErrorCode::too_large, fmt::format("the request is too large: at most {} bytes of header and {} of body are taken", limits.header_bytes, limits.body_bytes));
  }
  return Error(ErrorCode::bad_request, "the request is not HTTP/1.1 as this daemon takes it");
}

}  // namespace

api::Caller caller_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  api::Caller caller;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return caller;  // nobody: every permission is refused
  caller.uid = credentials.uid;
  caller.gid = credentials.gid;
  caller.pid = credentials.pid;
  return caller;
}

ClientConnection::ClientConnection(UnixHttpServer& server, Socket socket) : server_(server), transport_(std::move(socket)) {
  caller_ = caller_of(transport_.stream().native_handle());
  server_.connections_.insert(this);
}

ClientConnection::~ClientConnection() { server_.connections_.erase(this); }

void ClientConnection::stop() {
  if (phase_ != Phase::answering) transport_.close();
}

asio::awaitable<void> ClientConnection::run() {
  bool more = true;
  while (more && !server_.stopping_) more = co_await one_request();
}

asio::awaitable<bool> ClientConnection::one_request() {
  phase_ = Phase::idle;
  const host::WireLimits limits = server_.options_.limits;
  host::IncomingRequest incoming = co_await host::read_request(transport_, pending_, limits);
  phase_ = Phase::answering;
  if (incoming.arrival == host::Arrival::closed || incoming.arrival == host::Arrival::too_slow) co_return false;
  if (incoming.arrival != host::Arrival::request) {
    Error error = refusal(incoming.arrival, limits);
    co_return co_await send_problem(std::move(error), false);
  }
  const bool keep_alive = incoming.keep_alive && !server_.stopping_;
  api::ApiCall call;
  call.method = std::move(incoming.request.method);
  call.body = std::move(incoming.request.body);
  call.caller = caller_;
  call.upgrade = std::move(incoming.request.upgrade);
  api::ApiReply reply = co_await server_.answerer_(std::move(call), std::move(incoming.request.target));
  co_return co_await send_reply(std::move(reply), keep_alive);
}

asio::awaitable<bool> ClientConnection::send_reply(api::ApiReply reply, bool keep_alive) {
  if (auto* json = std::get_if<api::JsonReply>(&reply)) {
    std::string body = dump(json->body);
    // Many times the size of its text, and a client may take half a minute to read that.
    json->body = Json();
    std::string type = "application/json";
    co_return co_await send_json(json->status, std::move(type), std::move(body), keep_alive);
  }
  if (auto* text = std::get_if<api::TextReply>(&reply)) {
    std::string type = "application/json";
    co_return co_await send_json(200, std::move(type), std::move(text->json), keep_alive);
  }
  if (auto* error = std::get_if<Error>(&reply)) {
    co_return co_await send_problem(std::move(*error), keep_alive);
  }
  phase_ = Phase::streaming;
  if (server_.stopping_) co_return false;
  if (auto* lines = std::get_if<api::LinesReply>(&reply)) co_await send_lines(std::move(*lines));
  else if (auto* upgrade = std::get_if<api::UpgradeReply>(&reply)) co_await send_stream(std::move(*upgrade));
  co_return false;
}

asio::awaitable<bool> ClientConnection::send_json(int status, std::string content_type, std::string body, bool keep_alive) {
  host::ResponseHead head;
  head.status = status;
  head.content_type = content_type;
  head.keep_alive = keep_alive;
  std::string text = host::response_text(head, body);
  std::string().swap(body);  // an assignment would keep its memory
  const bool written = co_await write(std::move(text));
  co_return written && keep_alive;
}

asio::awaitable<bool> ClientConnection::send_problem(Error error, bool keep_alive) {
  std::string body = dump(to_client_problem(error));
  std::string type(problem_content_type);
  co_return co_await send_json(http_status_of(error.code()), std::move(type), std::move(body), keep_alive);
}

asio::awaitable<void> ClientConnection::send_lines(api::LinesReply reply) {
  asio::awaitable<void> lines = pump_lines(reply.lines.get());
  asio::awaitable<void> end = watch_for_end();
  co_await host::race(std::move(lines), std::move(end));
}

asio::awaitable<void> ClientConnection::pump_lines(api::LineSource* lines) {
  std::string head = host::chunked_head_text("application/x-ndjson", false);
  bool taken = co_await write(std::move(head));
  while (taken) {
    std::optional<std::string> line = co_await lines->next();
    std::string bytes = line.has_value() ? host::chunk_text(*line + "\n") : host::chunk_text("");
    const bool last = !line.has_value();
    taken = co_await write(std::move(bytes));
    if (last) co_return;
  }
}

// What a client sends after its request is of no interest, that it hung up is.
asio::awaitable<void> ClientConnection::watch_for_end() {
  boost::system::error_code code;
  std::string ignored;
  while (!code) {
    co_await transport_.read_some(ignored, code);
    ignored.clear();
  }
}

asio::awaitable<void> ClientConnection::send_stream(api::UpgradeReply reply) {
  std::string head = host::upgrade_head_text(reply.protocol);
  const bool taken = co_await write(std::move(head));
  if (!taken) co_return;
  host::TransportStream client(transport_, std::exchange(pending_, {}));
  co_await host::relay(client, *reply.stream);
}

asio::awaitable<bool> ClientConnection::write(std::string bytes) {
  std::function<void()> close = [this]() { transport_.close(); };
  const host::Deadline deadline(transport_.executor(), server_.options_.write_deadline, std::move(close));
  boost::system::error_code code;
  co_await transport_.write(std::move(bytes), code);
  co_return !code;
}

}  // namespace mcv::server
