// SPDX-License-Identifier: Apache-2.0
#include "daemon/peer/peer_client.h"

#include <fmt/format.h>

#include "cluster/core/problem.h"

namespace mcv {

namespace asio = boost::asio;

host::PeerEndpoint endpoint_of(const NodeRecord& node) { return {node.cluster_address, node.peer_port, node.fingerprint}; }

namespace {

Error no_address(const NodeName& node) {
  return Error(ErrorCode::peer_unreachable, fmt::format("{} has no cluster address yet", node.str())).with_next(fmt::format("on {}: hvctl node set-ip-address IP", node.str()));
}

host::HttpRequest post_request(std::string target, const Json& body) {
  host::HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = canonical(body);
  return request;
}

}  // namespace

asio::awaitable<Result<Json>> PeerClient::post(NodeRecord node, std::string target, Json body, std::chrono::milliseconds deadline) {
  if (node.cluster_address.empty()) co_return no_address(node.name);
  host::PeerEndpoint endpoint = endpoint_of(node);
  auto answer = co_await post_to(std::move(endpoint), std::move(target), std::move(body), deadline);
  co_return answer;
}

asio::awaitable<Result<Json>> PeerClient::post_to(host::PeerEndpoint endpoint, std::string target, Json body, std::chrono::milliseconds deadline) {
  host::HttpRequest request = post_request(std::move(target), body);
  MCV_CO_TRY(host::HttpResponse response, co_await network_.call(std::move(endpoint), std::move(request), deadline));
  MCV_CO_TRY(Json json, parse_json(response.body));
  if (!response.ok()) co_return error_from_problem(json);
  co_return json;
}

asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> PeerClient::open(NodeRecord node, std::string target, Json body, std::string protocol,
                                                                            std::chrono::milliseconds deadline) {
  if (node.cluster_address.empty()) co_return no_address(node.name);
  host::PeerEndpoint endpoint = endpoint_of(node);
  host::HttpRequest request = post_request(std::move(target), body);
  request.upgrade = std::move(protocol);
  MCV_CO_TRY(host::PeerReply reply, co_await network_.upgrade(std::move(endpoint), std::move(request), deadline));
  if (auto* stream = std::get_if<std::unique_ptr<host::ByteStream>>(&reply)) co_return std::move(*stream);
  const host::HttpResponse& refused = std::get<host::HttpResponse>(reply);
  if (refused.status == host::too_many_streams) {
    co_return Error(ErrorCode::busy, fmt::format("{} serves as many streams as it can", node.name.str())).with_next("close a console of another VM, then repeat the command");
  }
  MCV_CO_TRY(const Json json, parse_json(refused.body));
  if (refused.ok()) co_return Error(ErrorCode::bad_output, fmt::format("{} answered {} instead of opening a stream", node.name.str(), refused.status));
  co_return error_from_problem(json);
}

}  // namespace mcv
