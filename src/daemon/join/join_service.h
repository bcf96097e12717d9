// SPDX-License-Identifier: Apache-2.0
// The joiner's side of a join: what it answers to the node that adds it. Each request may come again after a lost
// answer or a crash and then finds its effect in place.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "cluster/core/json.h"
#include "cluster/host/peer_network.h"
#include "cluster/model/records.h"

namespace mcv {
class Node;
}

namespace mcv::join {

/// Redeems the token, tries the way back, answers this node's facts.
boost::asio::awaitable<Result<Json>> serve_hello(Node& node, host::KeyFingerprint caller, Json body);
/// Durable: this node is reserved for that cluster, and still blank.
boost::asio::awaitable<Result<Json>> serve_prepare(Node& node, Json body);
/// Blank again. Refused once this node has adopted the cluster's configuration.
boost::asio::awaitable<Result<Json>> serve_abandon(Node& node, Json body);
boost::asio::awaitable<Result<Json>> serve_pool(Node& node, Json body);
boost::asio::awaitable<Result<Json>> serve_corosync(Node& node, Json body);
boost::asio::awaitable<Result<Json>> serve_adopt(Node& node, Json body);

/// Whether anything answers at the other node's own replication address; nothing when it has none.
boost::asio::awaitable<std::optional<bool>> reaches_replication(Node& node, NodeRecord other);

/// Files from this node's own shared configuration, and the service: the same on both sides of a join.
boost::asio::awaitable<Status> start_corosync(Node& node, std::string key);

}  // namespace mcv::join
