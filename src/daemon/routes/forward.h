// SPDX-License-Identifier: Apache-2.0
// A request that belongs to the other node goes there, with the caller's identity, and is authorised again there. Once: if
// the owner changed meanwhile, that node refuses it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "cluster/core/json.h"
#include "cluster/model/records.h"
#include "daemon/api/api_call.h"

namespace mcv {

class Node;

/// Sends `call` to `target_node` and gives its answer. Only requests that are answered with JSON.
boost::asio::awaitable<api::ApiReply> forward(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline);
/// The same, as the JSON of a good answer.
boost::asio::awaitable<Result<Json>> forward_json(Node& node, NodeName target_node, api::ApiCall call, std::chrono::milliseconds deadline);
/// A request that asks for an upgrade: the stream that the other node opens for it.
boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> forward_stream(Node& node, NodeName target_node, api::ApiCall call);
/// The receiving side.
boost::asio::awaitable<Result<Json>> serve_forwarded(Node& node, Json body);
boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> serve_forwarded_stream(Node& node, Json body, std::string protocol);

}  // namespace mcv
