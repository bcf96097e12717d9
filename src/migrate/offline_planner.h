// SPDX-License-Identifier: Apache-2.0
// Moving a stopped VM (DESIGN 8): every reason to refuse, or the plan. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/plan/plan.h"

namespace mcv::migrate {

struct OfflineRequest {
  VmName vm;
  NodeName target;
  bool wait_for_shutdown = false;
  std::optional<std::uint32_t> timeout_seconds;
  bool start_after_migration = false;
};

struct Refusal {
  std::string id;    ///< stable: "locked", "verify-gate", "network", …
  ErrorCode code = ErrorCode::migrate_refused;
  std::string text;
  std::string fix;
};

struct OfflineQuestion {
  const ClusterState& state;
  const OfflineRequest& request;
  const NodeFacts& source;
  const NodeFacts* target = nullptr;                     ///< nullptr: it did not answer
  std::function<bool(const VolumeName&)> is_suspect;     ///< node-owned verdicts; may be empty
};

/// Everything that speaks against the move now, in a fixed order. A running guest is one of them unless the request waits.
std::vector<Refusal> offline_refusals(const OfflineQuestion& question);

/// The steps: [wait for shutdown] → check again → demote → promote there → record the owner (no return) → [start] or demote.
Result<Plan> plan_offline(const OfflineQuestion& question);

/// The refusals as one error: the first one's code, every text.
Error to_error(const OfflineRequest& request, const std::vector<Refusal>& refusals);

}  // namespace mcv::migrate
