// SPDX-License-Identifier: Apache-2.0
// From state, facts and request to a plan or the reason why not. Pure; also what --dry-run prints.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/observation.h"
#include "cluster/model/vm_lock.h"
#include "cluster/plan/plan.h"
#include "cluster/plans/gate_rule.h"
#include "cluster/requests/requests.h"

namespace mcv::plans {

/// Facts by node name; a node that did not answer is absent.
using Facts = std::map<std::string, NodeFacts>;

/// Chosen by chance outside, so that planning stays pure.
struct VmIdentity {
  std::string uuid;
  std::vector<std::string> macs;  ///< one per network of the request
  std::int64_t wall_seconds = 0;  ///< when: a disk that is never verified has an age, too
};

/// Why a volume group is not among what was seen of a node.
Error no_volume_group(const NodeFacts& facts, const std::string& volume_group, std::string next);
Result<Plan> create_vm(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::CreateVm& request, const VmIdentity& identity);
/// Refused where a node still has a copy under that name of a disk that was deleted without it (`in_use`).
Status check_no_remains(const ClusterState& state, const std::vector<VolumeRecord>& volumes);
/// The state machine gives the numbers of a deleted disk to the next one: refused while the kernel of the node that was away still has
/// that disk under them (`busy`), which ends by itself.
Status check_numbers_are_free(const ClusterState& state, const Facts& facts);

/// A node that is away while this one decides alone, and what this one's copies are: the generations of each replicated volume.
struct AbsentNode {
  NodeName name;
  std::map<VolumeName, std::vector<std::string>> generations;
  std::int64_t wall_seconds = 0;
};
/// With `absent` only what is here is removed, and what that node still has is remembered (pending_delete.h).
Result<Plan> delete_vm(const ClusterState& state, const Facts& facts, const VmName& name, const std::optional<AbsentNode>& absent = std::nullopt);

/// The start checks were passed by the caller (hv/start_checks.h); those that may change meanwhile the last step asks again.
Result<Plan> start_vm(const ClusterState& state, const VmName& name, GateRule gate = GateRule::holds);
Result<Plan> stop_vm(const ClusterState& state, const VmName& name, const requests::StopVm& request);
Result<Plan> kill_vm(const ClusterState& state, const VmName& name);
Result<Plan> reset_vm(const ClusterState& state, const VmName& name);
/// A VM of the other node, which is down: its owner is recorded before its disks are opened here. Authority and freshness
/// were asked by the caller, and are asked again by the step itself.
Result<Plan> take_over_vm(const ClusterState& state, const VmName& name, const NodeName& here, GateRule gate = GateRule::holds);
/// After a guest turned itself off on `where`: taps removed, volumes demoted there.
Result<Plan> release_vm(const ClusterState& state, const VmName& name, const NodeName& where);
/// What it is to a lock that a person begins a failed operation of this kind again: what only clears away is not held up.
VmUse use_of_retry(const std::string& kind);
/// Whether a plan of this kind releases the guest's disks and taps as steps of its own.
bool releases_guest(const std::string& kind);
/// A guest that runs on `where` although the other node took the VM over: ended, released.
Result<Plan> end_lost_vm(const ClusterState& state, const VmName& name, const NodeName& where);
/// The machine of `where` is being shut down: asked to stop within `patience_seconds`, or with nothing its power cut. A lock
/// holds a person off, not a shutdown.
Result<Plan> stop_for_leave(const ClusterState& state, const VmName& name, const NodeName& where, std::optional<std::uint32_t> patience_seconds);

/// Who changes a VM, as the kernel named the account, and when.
struct Updater {
  std::string user;
  std::int64_t wall_seconds = 0;  ///< since when a lock is there; for people
};
/// Whether the request takes off a lock that another set, which takes its own permission.
bool breaks_lock(const VmRecord& vm, const requests::UpdateVm& request, const std::string& user);
/// What a `vm update` changes, as its audit says it.
std::string update_summary(const VmRecord& before, const requests::UpdateVm& request);
/// The change a `vm update` makes: of the named fields alone, so that of two at once neither undoes the other. `vm_locked` unless
/// it unlocks; `not_confirmed` when it takes off another's lock without naming whose.
Result<Mutation> update_vm(const ClusterState& state, const VmName& name, const requests::UpdateVm& request, const Updater& by);

}  // namespace mcv::plans
