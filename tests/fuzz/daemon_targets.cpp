// SPDX-License-Identifier: Apache-2.0
// The daemon's own doors: HTTP from clients and from servers, targets, problem objects, the configuration file, and what it reads of
// the machine.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/error.hpp>

#include "cluster/core/utf8.h"
#include "cluster/core/problem.h"
#include "daemon/api/target.h"
#include "daemon/config.h"
#include "daemon/host/http_wire.h"
#include "daemon/node/accounts.h"
#include "daemon/node/observer.h"
#include "net/links.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

namespace asio = boost::asio;

/// A peer that says `text` in pieces and goes away.
class Said final : public host::Transport {
 public:
  Said(asio::any_io_executor loop, std::string_view text) : loop_(std::move(loop)), rest_(text), piece_(text.empty() ? 1 : 1 + static_cast<unsigned char>(text.front()) * 7U) {}
  asio::awaitable<void> read_some(std::string& text, boost::system::error_code& code) override {
    if (rest_.empty()) code = asio::error::eof;
    text += rest_.substr(0, piece_);
    rest_.remove_prefix(std::min(piece_, rest_.size()));
    co_return;
  }
  asio::awaitable<void> write(std::string bytes, boost::system::error_code&) override {
    written_ += bytes.size();
    co_return;
  }
  void close() override { rest_ = {}; }
  asio::any_io_executor executor() override { return loop_; }

 private:
  asio::any_io_executor loop_;
  std::string_view rest_;
  std::size_t piece_;
  std::size_t written_ = 0;
};

asio::awaitable<void> serve(std::string_view text, asio::any_io_executor loop) {
  Said client(std::move(loop), text);
  std::string pending;
  host::WireLimits limits;
  limits.header_bytes = 2048;
  limits.body_bytes = 4096;
  for (int requests = 0; requests < 100; ++requests) {
    const host::IncomingRequest one = co_await host::read_request(client, pending, limits);
    if (one.arrival != host::Arrival::request) co_return;
    must(one.request.body.size() <= limits.body_bytes, "a body is within its limit");
    if (!one.keep_alive) co_return;
  }
}

asio::awaitable<void> ask(std::string_view text, asio::any_io_executor loop) {
  Said server(std::move(loop), text);
  bool sent = false;
  const auto answer = co_await host::http_exchange(server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 4096, sent);
  if (answer.ok()) must(answer->body.size() <= 4096, "an answer's body is within its limit");
}

template <typename Work>
void run(Work work) {
  asio::io_context loop;
  asio::co_spawn(loop, work(asio::any_io_executor(loop.get_executor())), [](std::exception_ptr failed) { must(failed == nullptr, "nothing is thrown"); });
  loop.run();
}

void http_requests(std::string_view text) {
  run([text](asio::any_io_executor loop) { return serve(text, std::move(loop)); });
}

void http_answers(std::string_view text) {
  run([text](asio::any_io_executor loop) { return ask(text, std::move(loop)); });
}

void request_targets_of_http(std::string_view text) {
  const auto target = api::parse_target(text);
  if (!target.ok()) return;
  for (const std::string& segment : target->segments) {
    must(!segment.empty() && segment != ".." && segment.find('/') == std::string::npos, "a segment is one name");
    const auto again = api::parse_target("/" + api::percent_encode(segment));
    must(again.ok() && again->segments.size() == 1 && again->segments.front() == segment, "a segment is encoded as it was read");
  }
}

void problems(std::string_view text) {
  const auto json = parse_json(text);
  const Error error = json.ok() ? error_from_problem(*json) : Error(ErrorCode::bad_output, std::string(text));
  must(parse_json(to_client_problem(error).dump()).ok(), "a problem can always be sent on");
  must(valid_utf8(valid_utf8(text)) == valid_utf8(text), "what is UTF-8 stays as it is");
}

void config_file(std::string_view text) {
  const auto config = parse_daemon_config(std::string(text), "mcvd.toml");
  if (config.ok()) must(config->peer_port != 0 && config->state_directory.starts_with('/'), "a configuration that was taken is within bounds");
}

void machine(std::string_view text) {
  static_cast<void>(parse_meminfo(text));
  static_cast<void>(parse_cpuinfo(text));
}

void accounts(std::string_view text) {
  const auto account = account_in(std::string(text));
  if (account) must(!account->name.empty() && account->name.find(':') == std::string::npos, "an account has a name");
}

void ip_addresses(std::string_view text) {
  const auto links = net::parse_links(text);
  if (!links.ok()) return;
  for (const net::Link& link : *links) must(net::find(*links, link.name) != nullptr, "a link that was read is found");
}

}  // namespace

std::vector<Target> daemon_targets() {
  return {
      {"http-requests", http_requests, {}},
      {"http-answers", http_answers, {}},
      {"targets", request_targets_of_http, {}},
      {"problems", problems, {}},
      {"config-file", config_file, {}},
      {"machine", machine, {}},
      {"accounts", accounts, {}},
      {"ip-addresses", ip_addresses, {"ip/address_details.json"}},
  };
}

}  // namespace mcv::fuzz
