// SPDX-License-Identifier: Apache-2.0
// A VM was deleted while a node was away: what that node still has of it is remembered in the shared configuration until it is gone,
// with the generations of the copy that was deleted. The node removes it when it is back, if it is that copy and nothing else. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"

namespace mcv {

/// The setting "pending-delete/NODE/VOLUME".
struct PendingDelete {
  NodeName node;                         ///< that still has it
  VolumeRecord volume;                   ///< as it was recorded last: its minor, above all
  PoolRecord pool;                       ///< its pool may be deleted meanwhile, too
  std::vector<std::string> generations;  ///< of the copy that was deleted, without DRBD's lowest bit; the newest first
  std::int64_t wall_seconds = 0;         ///< when it was deleted; for people

  Json to_json() const;
  static Result<PendingDelete> from_json(const Json& json);
  friend bool operator==(const PendingDelete&, const PendingDelete&) = default;
};

bool is_pending_delete(const std::string& setting);
std::vector<PendingDelete> pending_deletes(const ClusterState& state);
Mutation remember_delete(const PendingDelete& pending);
Mutation forget_delete(const NodeName& node, const VolumeName& volume);

/// Whether a copy of generation `current` is the one that was deleted, or one that it went beyond: never one that was written to apart.
bool is_deleted_copy(const PendingDelete& pending, const std::string& current);

}  // namespace mcv
