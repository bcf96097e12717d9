// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/http_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cctype>
#include <limits>
#include <optional>

#include "daemon/host/deadline.h"

namespace mcv::host {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

using RequestParser = http::request_parser<http::string_body>;
using ResponseParser = http::response_parser<http::string_body>;

/// Feeds what is there. False on an error other than "more is needed".
template <typename Parser>
bool feed(Parser& parser, std::string& pending, boost::system::error_code& code) {
  while (!pending.empty() && !parser.is_done()) {
    code = {};
    const std::size_t used = parser.put(asio::buffer(pending), code);
    pending.erase(0, used);
    if (code == http::error::need_more) {
      code = {};
      return true;
    }
    if (code) return false;
    if (used == 0) return true;
  }
  return true;
}

bool is_too_large(const boost::system::error_code& code) { return code == http::error::header_limit || code == http::error::body_limit; }

template <typename Header>
void copy_headers(const Header& from, std::map<std::string, std::string>& to) {
  for (const auto& field : from) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    to[std::move(name)] = std::string(field.value());
  }
}

IncomingRequest taken(RequestParser& parser) {
  IncomingRequest incoming;
  incoming.arrival = Arrival::request;
  auto message = parser.release();
  incoming.keep_alive = message.keep_alive();
  incoming.request.method = std::string(message.method_string());
  incoming.request.target = std::string(message.target());
  copy_headers(message, incoming.request.headers);
  if (http::token_list(message[http::field::connection]).exists("upgrade")) incoming.request.upgrade = std::string(message[http::field::upgrade]);
  incoming.request.body = std::move(message.body());
  return incoming;
}

IncomingRequest ended(Arrival arrival) {
  IncomingRequest incoming;
  incoming.arrival = arrival;
  return incoming;
}

/// cloud-hypervisor ends the status line after the code. Beast wants the space before the reason, even an empty one.
void add_missing_reason(std::string& pending) {
  constexpr std::size_t code_end = 12;  // "HTTP/1.1 204"
  if (pending.compare(0, 5, "HTTP/") == 0 && pending.size() > code_end && pending[code_end] == '\r') pending.insert(code_end, 1, ' ');
}

bool is_token(std::string_view text) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos; };
  return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}
bool is_visible(std::string_view text, bool space) {
  return std::all_of(text.begin(), text.end(), [space](unsigned char c) { return c > 0x20 ? c != 0x7f : space && c == 0x20; });
}

}  // namespace

asio::awaitable<IncomingRequest> read_request(Transport& transport, std::string& pending, WireLimits limits) {
  RequestParser parser;
  parser.eager(true);
  parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
  parser.body_limit(limits.body_bytes);
  const std::function<void()> close = [&transport]() { transport.close(); };
  std::optional<Deadline> deadline;
  deadline.emplace(transport.executor(), pending.empty() ? limits.idle : limits.header, close);
  bool header_begun = !pending.empty();
  bool body_begun = false;
  while (true) {
    boost::system::error_code code;
    if (!feed(parser, pending, code)) {
      deadline.reset();
      co_return ended(is_too_large(code) ? Arrival::too_large : Arrival::malformed);
    }
    if (parser.is_done()) break;
    if (parser.is_header_done() && !body_begun) {
      body_begun = true;
      deadline.emplace(transport.executor(), limits.body, close);
      if (boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        std::string proceed = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await transport.write(std::move(proceed), code);
      }
    }
    if (!code) co_await transport.read_some(pending, code);
    if (code) {
      const bool late = deadline->expired();
      deadline.reset();
      if (late && header_begun) co_return ended(Arrival::too_slow);
      co_return ended(Arrival::closed);
    }
    if (!header_begun) {
      header_begun = true;
      deadline.emplace(transport.executor(), limits.header, close);
    }
  }
  deadline.reset();
  co_return taken(parser);
}

asio::awaitable<Result<HttpResponse>> http_exchange(Transport& transport, std::string wire, std::size_t body_limit, bool& sent, Upgraded* upgraded) {
  boost::system::error_code code;
  sent = true;
  co_await transport.write(std::move(wire), code);
  // A server may answer and close before it has read everything: its answer is read even so.
  const boost::system::error_code write_failure = code;
  std::string pending;
  std::optional<ResponseParser> parser;
  while (true) {
    if (!parser.has_value()) {
      parser.emplace();
      parser->eager(true);
      parser->body_limit(body_limit);
    }
    if (!parser->is_header_done()) add_missing_reason(pending);
    code = {};
    if (!feed(*parser, pending, code)) {
      co_return Error(is_too_large(code) ? ErrorCode::too_large : ErrorCode::bad_output, fmt::format("the answer is not usable HTTP: {}", code.message()));
    }
    if (upgraded != nullptr && parser->is_header_done() && parser->get().result() == http::status::switching_protocols) {
      upgraded->protocol = std::string(parser->get()[http::field::upgrade]);
      upgraded->first = std::move(pending);
      break;
    }
    if (parser->is_header_done() && parser->get().result_int() / 100 == 1) {
      parser.reset();
      if (!pending.empty()) continue;
    } else if (parser->is_done()) {
      break;
    } else if (parser->is_header_done() && parser->need_eof() && parser->get().version() >= 11 &&
               !http::token_list(parser->get()[http::field::connection]).exists("close")) {
      break;  // no length on a connection that stays open can only mean no body
    }
    co_await transport.read_some(pending, code);
    if (code == asio::error::operation_aborted) co_return Error(ErrorCode::connection_lost, "the connection was closed at its deadline");
    if (code) {
      boost::system::error_code end;
      if (parser.has_value() && parser->is_header_done()) parser->put_eof(end);
      if (parser.has_value() && parser->is_done() && !end) break;
      const boost::system::error_code cause = write_failure ? write_failure : code;
      co_return Error(ErrorCode::connection_lost, fmt::format("the connection ended before the answer was complete: {}", cause.message()));
    }
  }
  HttpResponse response;
  response.status = static_cast<int>(parser->get().result_int());
  response.body = std::move(parser->get().body());
  co_return response;
}

Result<std::string> request_text(const HttpRequest& request, std::string_view host) {
  const auto refuse = [](std::string_view what) { return Error(ErrorCode::bad_request, fmt::format("the request's {} holds a character that HTTP does not allow", what)); };
  if (!is_token(request.method)) return refuse("method");
  if (!request.upgrade.empty() && !is_token(request.upgrade)) return refuse("protocol");
  if (request.target.empty() || request.target.front() != '/' || !is_visible(request.target, false)) return refuse("target");
  const std::string connection = request.upgrade.empty() ? "close" : "Upgrade\r\nUpgrade: " + request.upgrade;
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: {}\r\nAccept: application/json\r\n", request.method, request.target, host, connection);
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) return refuse("header name");
    if (!is_visible(value, true)) return refuse("header");
    text += fmt::format("{}: {}\r\n", name, value);
  }
  // A length for an empty body is left out: cloud-hypervisor refuses a body, even an empty one, where it expects none.
  if (!request.body.empty()) text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", request.body.size());
  text += "\r\n";
  text += request.body;
  return text;
}

std::string response_text(const ResponseHead& head, std::string_view body) {
  const std::string_view reason = http::obsolete_reason(static_cast<http::status>(head.status));
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", head.status, reason);
  if (!body.empty()) text += fmt::format("Content-Type: {}\r\n", head.content_type);
  if (head.status != 204) text += fmt::format("Content-Length: {}\r\n", body.size());
  text += head.keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
  text += body;
  return text;
}

std::string chunked_head_text(std::string_view content_type, bool keep_alive) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n{}\r\n", content_type, keep_alive ? "" : "Connection: close\r\n");
}

std::string chunk_text(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

std::string upgrade_head_text(std::string_view protocol) {
  return fmt::format("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n", protocol);
}

}  // namespace mcv::host
