// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "cli/interrupts.h"
#include "cluster/core/json_list.h"
#include "cluster/core/problem.h"

namespace mcv::cli {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t reply_limit = 64U << 20;
constexpr std::size_t line_limit = 4U << 20;
/// Beast reads into what a buffer has room for, and 512 bytes at a time into one that has none.
constexpr std::size_t read_size = 64U << 10;

http::request<http::string_body> make_request(const std::string& method, const std::string& target, const std::optional<Json>& body) {
  http::request<http::string_body> request;
  request.method_string(method);
  request.target(target);
  request.version(11);
  request.set(http::field::host, "mcvd");
  request.set(http::field::accept, fmt::format("application/json, application/x-ndjson, {}", problem_content_type));
  if (body) {
    request.set(http::field::content_type, "application/json");
    request.body() = canonical(*body);
  }
  request.prepare_payload();
  return request;
}

/// `sent` tells a request that may have taken effect from one that cannot have.
Error transport_error(const error_code& error, bool changes, bool sent) {
  if (error == boost::asio::error::interrupted) return Error(ErrorCode::cancelled, "interrupted");
  const bool late = error == boost::asio::error::timed_out;
  if (changes && sent) {
    return Error(ErrorCode::outcome_unknown, late ? "mcvd did not answer in time; the change may have been made" : "mcvd went away before it answered; the change may have been made")
        .with_next("hvctl op list");
  }
  if (late) {
    return Error(ErrorCode::timed_out, "mcvd took the request and has not answered in time: it is busy beyond measure, or hangs")
        .with_safe("nothing was changed; guests run without mcvd")
        .with_next("systemctl status mcvd; if it stays silent: journalctl -u mcvd -n 50, then systemctl restart mcvd (guests go on)");
  }
  return Error(ErrorCode::connection_lost, fmt::format("the connection to mcvd broke ({})", error.message()))
      .with_safe("nothing was changed")
      .with_next("systemctl status mcvd; then the same command again");
}

Error bad_reply(std::string_view why) {
  return Error(ErrorCode::bad_output, fmt::format("mcvd's answer makes no sense: {}", why)).with_next("hvctl --version; systemctl status mcvd (both must be of one release)");
}

Result<Json> read_body(std::string_view text) {
  if (text.empty()) return Json::object();
  Result<Json> body = parse_json(text);
  if (!body.ok()) return bad_reply(body.error().message());
  return body;
}

}  // namespace

Error error_of_reply(const Json& problem, int status) {
  if (!problem.is_object() || !problem.contains("code")) return bad_reply(fmt::format("status {} without a problem document", status));
  return error_from_problem(problem);
}

bool is_final(const Json& operation_view) {
  const auto state = operation_view.find("state");
  return state == operation_view.end() || *state != "running";
}

void Client::trace(const std::string& line) const {
  if (trace_ != nullptr) *trace_ << line << '\n' << std::flush;
}

Result<Answer> Client::exchange(const std::string& method, const std::string& target, const std::optional<Json>& body, std::chrono::milliseconds deadline) {
  const bool changes = method != "GET";
  trace(fmt::format("> {} {}{}", method, target, body && !body->contains("connect_string") ? " " + canonical(*body) : ""));
  MCV_TRY(UnixStream stream, UnixStream::connect(socket_path_));
  stream.set_timeout(deadline);
  auto request = make_request(method, target, body);
  request.set(http::field::connection, "close");
  error_code error;
  http::write(stream, request, error);
  // mcvd may answer and close before it read all of a request it refuses: what it said counts more than the broken pipe.
  const bool write_broke = error && error != boost::asio::error::timed_out && error != boost::asio::error::interrupted;
  if (error && !write_broke) return transport_error(error, changes, true);
  boost::beast::flat_buffer buffer;
  buffer.reserve(read_size);
  http::response_parser<http::string_body> parser;
  parser.body_limit(reply_limit);
  http::read(stream, buffer, parser, error);
  if (error) return transport_error(error, changes, !write_broke);
  Answer answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
  trace(fmt::format("< {}", answer.status));
  return answer;
}

Result<Reply> Client::request(const std::string& method, const std::string& target, const std::optional<Json>& body, std::optional<std::chrono::milliseconds> deadline) {
  MCV_TRY(const Answer answer, exchange(method, target, body, deadline.value_or(method == "GET" ? patience_.read : patience_.change)));
  MCV_TRY(Json json, read_body(answer.text));
  if (!answer.is_success()) return error_of_reply(json, answer.status);
  return Reply{answer.status, std::move(json)};
}

Result<Json> Client::list(const std::string& target, std::string_view key, const std::function<void(const Json&)>& take) {
  MCV_TRY(const Answer answer, exchange("GET", target, std::nullopt, patience_.read));
  if (!answer.is_success()) {
    MCV_TRY(const Json json, read_body(answer.text));
    return error_of_reply(json, answer.status);
  }
  Result<Json> rest = parse_json_list(answer.text, key, take);
  if (!rest.ok()) return bad_reply(rest.error().message());
  return rest;
}

Result<std::optional<Json>> Client::follow_once(const std::string& operation_id, const std::function<void(const Json&)>& on_view, bool& heard) {
  MCV_TRY(UnixStream stream, UnixStream::connect(socket_path_));
  const std::string target = fmt::format("/v1/operations/{}/events", operation_id);
  trace("> GET " + target);
  error_code error;
  http::write(stream, make_request("GET", target, std::nullopt), error);
  if (error) return transport_error(error, false, false);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(boost::none);
  http::read_header(stream, buffer, parser, error);
  if (error) return transport_error(error, false, false);
  const int status = static_cast<int>(parser.get().result_int());
  // An operation may say nothing for minutes; a daemon that dies closes the socket.
  stream.set_timeout(std::chrono::milliseconds(status == 200 ? -1 : 10'000));
  std::string line;
  std::array<char, 16384> chunk{};
  while (!parser.is_done()) {
    parser.get().body().data = chunk.data();
    parser.get().body().size = chunk.size();
    http::read_some(stream, buffer, parser, error);
    if (error == http::error::need_buffer) error = {};
    if (error) return transport_error(error, false, false);
    line.append(chunk.data(), chunk.size() - parser.get().body().size);
    if (line.size() > line_limit) return bad_reply("a line of the event stream is too long");
    for (std::size_t end = line.find('\n'); status == 200 && end != std::string::npos; end = line.find('\n')) {
      Result<Json> view = parse_json(line.substr(0, end));
      line.erase(0, end + 1);
      if (!view.ok() || !view->is_object()) return bad_reply("a line of the event stream is not an operation");
      heard = true;
      on_view(*view);
      if (is_final(*view)) return std::optional<Json>(std::move(*view));
    }
  }
  if (status == 200) return std::optional<Json>();
  const Result<Json> problem = parse_json(line);
  return error_of_reply(problem.ok() ? *problem : Json(), status);
}

Result<Json> Client::follow(const std::string& operation_id, const std::function<void(const Json&)>& on_view, std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  auto last_heard = Clock::now();
  std::chrono::milliseconds pause{100};
  while (true) {
    bool heard = false;
    auto final_view = follow_once(operation_id, on_view, heard);
    if (final_view.ok() && *final_view) return std::move(**final_view);
    if (!final_view.ok()) {
      const ErrorCode code = final_view.error().code();
      const bool may_pass = code == ErrorCode::connection_lost || code == ErrorCode::daemon_unreachable || code == ErrorCode::timed_out;
      if (!may_pass) return std::move(final_view).error();
    }
    if (heard) {
      last_heard = Clock::now();
      pause = std::chrono::milliseconds(100);
    }
    if (Clock::now() - last_heard > patience) {
      return Error(ErrorCode::connection_lost, fmt::format("mcvd has not answered for {} s; operation {} may still run", std::chrono::duration_cast<std::chrono::seconds>(patience).count(), operation_id))
          .with_safe("the operation is journaled: mcvd finishes or undoes it when it is back")
          .with_next(fmt::format("systemctl status mcvd; then: hvctl op watch {}", operation_id));
    }
    if (wait({}, pause) == Waited::interrupted) return Error(ErrorCode::cancelled, "interrupted");
    pause = std::min(pause * 2, std::chrono::milliseconds(2000));
  }
}

Result<RawStream> Client::upgrade(const std::string& target, const std::string& protocol) {
  trace("> GET " + target);
  MCV_TRY(UnixStream stream, UnixStream::connect(socket_path_));
  auto request = make_request("GET", target, std::nullopt);
  request.set(http::field::connection, "Upgrade");
  request.set(http::field::upgrade, protocol);
  error_code error;
  http::write(stream, request, error);
  if (error) return transport_error(error, false, false);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(reply_limit);
  http::read_header(stream, buffer, parser, error);
  if (error) return transport_error(error, false, false);
  if (parser.get().result() == http::status::switching_protocols) {
    RawStream raw{std::move(stream), std::string(static_cast<const char*>(buffer.data().data()), buffer.size())};
    raw.stream.set_timeout(std::chrono::milliseconds(-1));
    return raw;
  }
  http::read(stream, buffer, parser, error);
  if (error) return transport_error(error, false, false);
  MCV_TRY(const Json json, read_body(parser.get().body()));
  return error_of_reply(json, static_cast<int>(parser.get().result_int()));
}

}  // namespace mcv::cli
