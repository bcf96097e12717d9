// SPDX-License-Identifier: Apache-2.0
// Whether a node has room for what an operation copies to it at once, before anything is done. What a guest writes over time is the
// alarms' matter (pool_alarm.h). Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/core/units.h"
#include "cluster/model/observation.h"
#include "cluster/model/records.h"

namespace mcv {

/// DRBD's metadata of a volume of that size, beside its data.
Bytes replication_metadata_size(Bytes data);

/// What one volume takes on a node: blocks of a thin pool that it has not given out yet, or extents of a volume group.
struct CopyNeed {
  NodeName node;
  PoolRecord pool;
  VolumeName volume;
  Bytes takes;
};

/// A leg that is made and filled. Of a thin one only what is written on `source` is copied; all of it where that is not known.
CopyNeed need_of_new_leg(const VolumeRecord& volume, const PoolRecord& pool, const NodeName& node, const NodeFacts* source);
/// DRBD's metadata alone, beside data that stay where they are.
CopyNeed need_of_metadata(const VolumeRecord& volume, const PoolRecord& pool, const NodeName& node, Bytes data);
/// What a repair overwrites on `target` and keeps in a snapshot. A thin one gives each block that is written to out anew, in chunks of
/// its pool; a thick one is as large as the volume, whatever is written.
CopyNeed need_of_repair(const VolumeRecord& volume, const PoolRecord& pool, const NodeFacts& target, const NodeFacts* source, Bytes marked, bool whole);

enum class CopyKind {
  fills_new_legs,  ///< as for everything new, the pool stays below 90 %
  overwrites,      ///< the snapshot is new, and is refused above 90 %; what is copied may go up to the pool's end
};

/// All needs of one operation together. `pool_full` says what is missing on which node, and the command; `pool_waits` of a thin pool that
/// lets writes wait when it is full. Of a pool that was not looked at nothing is said: the step that makes the volume looks again.
Status check_room_for_copies(const std::vector<CopyNeed>& needs, CopyKind kind, const std::map<std::string, NodeFacts>& facts);

}  // namespace mcv
