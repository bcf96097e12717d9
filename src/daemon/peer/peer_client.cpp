// SPDX-License-Identifier: Apache-2.0
#include "daemon/peer/peer_client.h"

#include <fmt/format.h>

#include "cluster/plan/problem.h"

namespace mcv {

namespace asio = boost::asio;

host::PeerEndpoint endpoint_of(const NodeRecord& node) { return {node.cluster_address, node.peer_port, node.fingerprint}; }

asio::awaitable<Result<Json>> PeerClient::post(NodeRecord node, std::string target, Json body, std::chrono::milliseconds deadline) {
  if (node.cluster_address.empty()) co_return Error(ErrorCode::peer_unreachable, fmt::format("{} has no cluster address yet", node.name.str())).with_next(fmt::format("on {}: hvctl node set-ip-address IP", node.name.str()));
  host::PeerEndpoint endpoint = endpoint_of(node);
  auto answer = co_await post_to(std::move(endpoint), std::move(target), std::move(body), deadline);
  co_return answer;
}

asio::awaitable<Result<Json>> PeerClient::post_to(host::PeerEndpoint endpoint, std::string target, Json body, std::chrono::milliseconds deadline) {
  host::HttpRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = body.dump();
  MCV_CO_TRY(host::HttpResponse response, co_await network_.call(std::move(endpoint), std::move(request), deadline));
  MCV_CO_TRY(Json json, parse_json(response.body));
  if (!response.ok()) co_return error_from_problem(json);
  co_return json;
}

}  // namespace mcv
