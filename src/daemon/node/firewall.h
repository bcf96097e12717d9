// SPDX-License-Identifier: Apache-2.0
// What a firewall of this node must let in, as lines to paste. Pure: nothing is changed, for the rules of a machine are its owner's.
#pragma once

#include <string>
#include <vector>

#include "cluster/model/records.h"

namespace mcv {

/// nft commands for the addresses this record has, with Debian's names of table and chain; none without a cluster address.
std::vector<std::string> firewall_rules(const NodeRecord& node);

}  // namespace mcv
