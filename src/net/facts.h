// SPDX-License-Identifier: Apache-2.0
// Fills the network part of NodeFacts.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/observation.h"

namespace mcv::net {

/// `bridges`.
boost::asio::awaitable<Status> add_facts(host::Host& host, NodeFacts& facts);

}  // namespace mcv::net
