// SPDX-License-Identifier: Apache-2.0
// Both daemons on simulated machines, each behind a real socket, for the real hvctl: tests/unit/cli/pair_test.py.
//
//     pair_server DIRECTORY [blank]     serves DIRECTORY/A and DIRECTORY/B until standard input ends; says "ready" first
//
// A line on standard input is something that no command does: "off B"; "differ vm1", a block of its disk on B; "orphan NAME", a logical
// volume on B. "blank" makes no cluster of the two.
#include <poll.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <iostream>
#include <sstream>
#include <stdexcept>

#include "cluster/core/problem.h"
#include "two_nodes.h"
#include "world/api_contract.h"

namespace mcv::test {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

/// At once for a stream too: the simulated clock runs until it ends.
std::string all_lines(TwoNodes& nodes, std::size_t node, api::LineSource& source) {
  std::string text;
  while (const auto line = nodes.wait_for(node, source.next(), std::chrono::minutes(10))) {
    if (!*line) break;
    text += **line + "\n";
  }
  return text;
}

Response answer(TwoNodes& nodes, std::size_t node, const Request& request) {
  api::ApiCall call;
  call.method = std::string(request.method_string());
  call.body = request.body();
  const auto reply = nodes.begin(node, std::move(call), std::string(request.target()));
  nodes.run_events([&] { return reply->has_value(); }, std::chrono::minutes(5));
  Response response;
  response.version(11);
  if (!reply->has_value()) return response;
  const Result<Json> body = parse_json(request.body());
  for (const std::string& text : sim::ApiContract::get().check(std::string(request.method_string()), std::string(request.target()), body.ok() ? *body : Json(), **reply)) {
    throw std::runtime_error("contract of the API: " + text);
  }
  if (const auto json = api::document_of(**reply)) {
    response.result(static_cast<unsigned>(json->status));
    response.body() = json->body.dump();
  } else if (auto* lines = std::get_if<api::LinesReply>(&**reply)) {
    response.body() = all_lines(nodes, node, *lines->lines);
  } else if (const auto* error = std::get_if<Error>(&**reply)) {
    response.result(static_cast<unsigned>(http_status_of(error->code())));
    response.body() = to_client_problem(*error).dump();
  }
  response.prepare_payload();
  return response;
}

void serve_one(TwoNodes& nodes, std::size_t node, Local::acceptor& acceptor) {
  Local::socket client = acceptor.accept();
  boost::system::error_code error;
  boost::beast::flat_buffer buffer;
  Request request;
  http::read(client, buffer, request, error);
  if (error) return;
  http::write(client, answer(nodes, node, request), error);
}

void happen(TwoNodes& nodes, const std::string& line) {
  std::istringstream words(line);
  std::string what;
  std::string whom;
  words >> what >> whom;
  if (what == "off") {
    nodes.switch_off(whom == "A" ? TwoNodes::a : TwoNodes::b);
    nodes.pass(std::chrono::minutes(1));
  } else if (what == "differ") {
    nodes.machine(TwoNodes::b).lvm.volumes.at("vg0/mcv-" + whom + "-0").blocks[3] = 4711;
  } else if (what == "orphan") {
    sim::Lv volume;
    volume.size = 64U << 20;
    volume.tags = {"mcv", "mcv.by.A-999"};
    nodes.machine(TwoNodes::b).lvm.volumes["vg0/" + whom] = volume;
  }
}

void prepare(TwoNodes& nodes, bool blank) {
  for (const std::size_t node : TwoNodes::both) {
    nodes.machine(node).accounts = {{1000, "alice"}, {1001, "bob"}, {1002, "admin"}};
    for (const char* path : {"/srv/vmlinuz", "/srv/initrd.img", "/srv/linux", "/srv/initrd.gz"}) nodes.files(node).put(path, "x", true);
    if (blank) nodes.initialise(node);
  }
  if (!blank) nodes.make_cluster();
}

int run_pair_server(const std::string& directory, bool blank) {
  TwoNodes nodes;
  prepare(nodes, blank);
  asio::io_context context;
  std::vector<Local::acceptor> acceptors;
  for (const std::size_t node : TwoNodes::both) acceptors.emplace_back(context, Local::endpoint(directory + "/" + sim::node_name(node)));
  std::cout << "ready" << std::endl;
  while (true) {
    std::array<pollfd, 3> watched{pollfd{acceptors[0].native_handle(), POLLIN, 0}, pollfd{acceptors[1].native_handle(), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
    if (poll(watched.data(), watched.size(), -1) < 0) return 1;
    for (const std::size_t node : TwoNodes::both) {
      if (watched[node].revents != 0) serve_one(nodes, node, acceptors[node]);
    }
    if (watched[2].revents == 0) continue;
    std::string line;
    if (!std::getline(std::cin, line)) return 0;
    happen(nodes, line);
    std::cout << "ready" << std::endl;
  }
}

}  // namespace
}  // namespace mcv::test

int main(int count, char** words) {
  if (count < 2) return 2;
  return mcv::test::run_pair_server(words[1], count > 2 && std::string(words[2]) == "blank");
}
