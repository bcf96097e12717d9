// SPDX-License-Identifier: Apache-2.0
// Answers the other daemon. Deny by default: a member's key may use everything here, the key that redeemed an
// invitation (or for which this node is prepared) only the join requests, any other key only `ping`.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/host/peer_network.h"

namespace mcv {

class Node;

boost::asio::awaitable<host::PeerReply> serve_peer(Node& node, host::KeyFingerprint caller, host::HttpRequest request);

}  // namespace mcv
