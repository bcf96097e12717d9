// SPDX-License-Identifier: Apache-2.0
// What LVM's list says of the room on a node, as planners read it (cluster/model/copy_room.h). Pure.
#pragma once

#include <vector>

#include "cluster/model/observation.h"
#include "storage/lvm/report.h"

namespace mcv::lvm {

/// `thin_pools`, and of each volume of mcv's `backing` and `written`.
void add_room(NodeFacts& facts, const std::vector<LogicalVolume>& volumes);

}  // namespace mcv::lvm
