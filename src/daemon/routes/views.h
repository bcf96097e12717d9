// SPDX-License-Identifier: Apache-2.0
// What clients see: JSON made of records and facts, as far as the caller's roles cover it: VMs, and what these stand on. Pure but for
// pools, whose usage is asked of LVM.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/access/decision.h"
#include "cluster/core/json.h"
#include "cluster/model/cluster_state.h"
#include "cluster/plans/vm_plans.h"

namespace mcv {
class Node;
}

namespace mcv::views {

Json networks(const ClusterState& state, const plans::Facts& facts, const access::Sight& sight);
Json drbd(const Node& node, const access::Sight& sight);
/// The text of all VMs, written one by one.
std::string vms(const Node& node, const plans::Facts& facts, const access::Sight& sight);
/// What a table of them shows, for lists of a thousand: a tenth of it.
std::string brief_vms(const Node& node, const plans::Facts& facts, const access::Sight& sight);
Json vm(const Node& node, const VmRecord& record, const plans::Facts& facts);
/// Facts of a node that did not answer are absent, not zero. Who sees some VMs only sees which nodes there are and whether they are up.
Json nodes(const ClusterState& state, const plans::Facts& facts, const NodeName& self, const access::Sight& sight);
Json info(const Node& node, const plans::Facts& facts, const access::Sight& sight);
boost::asio::awaitable<Result<Json>> pools(Node& node, access::Sight sight);
/// What this node knows of its side of each pool, by name.
boost::asio::awaitable<Result<Json>> pool_places(Node& node);

}  // namespace mcv::views
