// SPDX-License-Identifier: Apache-2.0
// `hvctl node init` and the node's addresses: small, idempotent, never deleting what is not mcv's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/requests/requests.h"
#include "cluster/store/position.h"

namespace mcv {

class Node;

/// What was made or found, one sentence each.
boost::asio::awaitable<Result<std::vector<std::string>>> init_node(Node& node, requests::InitNode request);

/// Only looks: what init_node would do, or why it would refuse.
boost::asio::awaitable<Result<std::vector<std::string>>> would_init_node(Node& node, requests::InitNode request);

/// Records addresses that are on local interfaces. The cluster address of a member does not change: corosync and the
/// peer know it.
boost::asio::awaitable<Result<Committed>> set_addresses(Node& node, requests::SetAddresses request);
/// Only looks: whether set_addresses would take them.
boost::asio::awaitable<Status> may_set_addresses(Node& node, requests::SetAddresses request);

}  // namespace mcv
