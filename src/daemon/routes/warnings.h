// SPDX-License-Identifier: Apache-2.0
// What `hvctl info` warns of: each with a code of the table, a text and the next command.
#pragma once

#include "cluster/access/decision.h"
#include "cluster/core/json.h"
#include "cluster/plans/vm_plans.h"

namespace mcv {
class Node;
}

namespace mcv::views {

/// An array; empty when all is well. As far as the caller's roles cover it. Pure.
Json warnings_of(const Node& node, const plans::Facts& facts, const access::Sight& sight);

}  // namespace mcv::views
