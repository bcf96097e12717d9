// SPDX-License-Identifier: Apache-2.0
// A node that is being removed, or was: what the shared configuration says of it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"

namespace mcv {

/// The setting that holds from the announcement of a removal to its commit or its undo: nothing new is made, no VM changes its
/// owner meanwhile (ClusterState::apply sees to it, on both nodes alike).
inline constexpr const char* removing_setting = "removing";
std::optional<NodeName> being_removed(const ClusterState& state);

/// Kept by the remainder, and by a leaver that heard its own removal.
struct RemovedNode {
  NodeRecord node;               ///< as it was recorded last
  std::uint64_t generation = 0;  ///< in which it was removed
  OperationId removal;           ///< names what it keeps in quarantine

  Json to_json() const;
  static Result<RemovedNode> from_json(const Json& json);
  friend bool operator==(const RemovedNode&, const RemovedNode&) = default;
};
std::optional<RemovedNode> removed_by_key(const ClusterState& state, const std::string& fingerprint);
/// Of a key that joins again: it is known as removed no more. Nothing when it never was.
std::optional<Mutation> forget_removal(const ClusterState& state, const std::string& fingerprint);

/// The one change that removes: the member and the announcement go, its key is remembered, its VMs belong to `heir`, and no
/// replicated volume counts as compared any more. `after` is the last committed entry.
std::vector<Mutation> removal_mutations(const ClusterState& state, const NodeRecord& leaver, const NodeName& heir, const OperationId& removal,
                                        const LogStamp& after);

}  // namespace mcv
