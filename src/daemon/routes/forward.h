// SPDX-License-Identifier: Apache-2.0
// A request that belongs to the other node goes there, with the caller's identity, and is authorised again there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "cluster/core/json.h"
#include "cluster/model/records.h"
#include "daemon/api/api_call.h"

namespace mcv {

class Node;

/// Sends `call` to `target_node` and gives its answer. Only requests that are answered with JSON.
boost::asio::awaitable<api::ApiReply> forward(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline);
/// The same, as the JSON of a good answer.
boost::asio::awaitable<Result<Json>> forward_json(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline);
/// The receiving side.
boost::asio::awaitable<Result<Json>> serve_forwarded(Node& node, Json body);

}  // namespace mcv
