// SPDX-License-Identifier: Apache-2.0
// The vocabulary of every plan: one constructor per action, so that an action's name and parameters are written down
// once. src/daemon/actions implements each of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/cluster_state.h"
#include "cluster/model/pending_delete.h"
#include "cluster/plan/plan.h"
#include "cluster/plans/gate_rule.h"

namespace mcv::plans {

/// Proposes a change of the shared configuration. Undo deletes what the change created. Its result holds the volumes as
/// recorded, with the numbers the state machine gave them. `reverse`: what takes the change of an object back that was there before.
PlannedStep record(const NodeName& node, std::vector<Mutation> mutations, std::string text, bool commits = false, std::vector<Mutation> reverse = {});

/// How a later step learns a volume's minor and port: from the record, or from the result of the recording step.
struct VolumeRef {
  VolumeRecord volume;
  std::optional<std::size_t> recorded_by;
  Json to_json() const;
};

PlannedStep volume_backing(const NodeName& node, const VolumeRef& ref);      ///< LV; undo removes it
PlannedStep volume_configure(const NodeName& node, const VolumeRef& ref);    ///< .res file and metadata; undo wipes
PlannedStep volume_up(const NodeName& node, const VolumeRef& ref);           ///< undo: down
PlannedStep volume_identical(const NodeName& node, const VolumeRef& ref);    ///< skips the first sync where provably safe
PlannedStep volume_redundant(const NodeName& node, const VolumeRef& ref);    ///< waits for UpToDate on both sides
PlannedStep volume_primary(const NodeName& node, const VolumeRef& ref);      ///< undo: secondary
PlannedStep volume_secondary(const NodeName& node, const VolumeRef& ref);    ///< no undo
PlannedStep volume_remove(const NodeName& node, const VolumeRef& ref);       ///< everything of it; no undo

// A local disk becomes replicated without moving a byte, and back.
PlannedStep volume_metadata(const NodeName& node, const VolumeRef& ref);     ///< DRBD's beside the data; how much there is to copy; undo removes it
PlannedStep volume_last_look(const NodeName& node, const VolumeRef& ref);    ///< both copies are equal and closed; changes nothing
PlannedStep volume_localise(const NodeName& node, const VolumeRef& ref);     ///< out of DRBD, its data stay; no undo
/// Neither fails: the result says what was found.
PlannedStep volume_verify(const NodeName& node, const VolumeRecord& volume, const std::string& asked_by);
PlannedStep verify_together(const NodeName& node, const std::vector<VolumeRecord>& volumes, const std::string& asked_by);  ///< several at once

PlannedStep verify_summary(const NodeName& node);                            ///< gathers the verify results into one

/// A VM of a node that was confirmed down becomes this node's; only while this node decides alone.
PlannedStep vm_take_over(const NodeName& node, const VmRecord& vm, const std::vector<VolumeRecord>& volumes);

PlannedStep guest_start(const NodeName& node, const VmRecord& vm, std::vector<VolumeRecord> volumes, GateRule gate);  ///< taps and VMM; undo: kill
PlannedStep guest_stop(const NodeName& node, const VmName& vm, std::uint32_t timeout_seconds);
PlannedStep guest_wait_stopped(const NodeName& node, const VmName& vm, std::optional<std::uint32_t> timeout_seconds);
PlannedStep guest_kill(const NodeName& node, const VmName& vm);
PlannedStep guest_reset(const NodeName& node, const VmName& vm);
PlannedStep guest_release(const NodeName& node, const VmRecord& vm);         ///< taps removed
PlannedStep guest_forget(const NodeName& node, const VmName& vm);
PlannedStep migrate_recheck(const NodeName& node, const VmName& vm, const NodeName& target, bool start_after_migration);

PlannedStep pool_create(const NodeName& node, const PoolRecord& pool, std::optional<Bytes> size);  ///< undo: remove when empty
PlannedStep pool_remove(const NodeName& node, const PoolRecord& pool);

PlannedStep drbd_check(const NodeName& node);                                ///< module loaded, version known, our helper set
PlannedStep drbd_secret(const NodeName& node);                               ///< made once, carried to the peer

// A join runs on the node that is there already; it asks the joiner over the peer link, which admits the key that
// redeemed the invitation. Before the commit the joiner keeps a "prepared" record and can always be made blank again.
PlannedStep join_prepare(const NodeName& node, const NodeRecord& here, const NodeRecord& joiner);  ///< undo: joiner blank again
PlannedStep join_pool(const NodeName& node, const NodeRecord& joiner, const PoolRecord& pool);     ///< undo: pool removed there
PlannedStep join_commit(const NodeName& node, const NodeRecord& joiner);                           ///< the one commit record
PlannedStep join_corosync(const NodeName& node, const NodeRecord& here, const NodeRecord& joiner); ///< files and start, both sides
PlannedStep join_adopt(const NodeName& node, const NodeRecord& joiner);                            ///< the joiner takes the configuration
PlannedStep join_together(const NodeName& node, const NodeRecord& joiner, Json suitability);       ///< waits until both share the log

/// One volume of a repair: what is copied, and from where to where.
struct ResyncLeg {
  VolumeRecord volume;
  NodeName source;
  NodeName target;
  std::uint64_t marked_kib = 0;
  bool full = false;
  std::optional<Bytes> overwritten;  ///< what the snapshot of it may take of its thin pool; all or what is marked where it is not known
  Json to_json() const;
  static Result<ResyncLeg> from_json(const Json& json);
};

// A repair copies one side of a volume over the other. Up to its commit the target is as it was; from then on it counts as the
// older copy, and the kernel copies to it whoever of us is there.
PlannedStep resync_snapshot(const ResyncLeg& leg);                           ///< on the target; undo removes it while the target is as it was
PlannedStep resync_source(const ResyncLeg& leg);                             ///< asks again, opens the source; undo closes it
PlannedStep resync_diverge(const ResyncLeg& leg, std::size_t asked_by, bool commits);  ///< the target becomes the older copy
PlannedStep resync_mark_all(const ResyncLeg& leg);
PlannedStep resync_copy(const ResyncLeg& leg);                               ///< connected again, the copy has begun
PlannedStep resync_release(const ResyncLeg& leg);                            ///< the source is closed unless its guest runs
PlannedStep resync_follow(const NodeName& node, const VolumeRecord& volume); ///< waits for the end of a copy; a cancel ends the waiting
PlannedStep resync_summary(const NodeName& node, const std::vector<ResyncLeg>& legs);

/// A disk that DRBD gave up, from the other copy, or as the newest of two that were lost. No undo: attached it harms nothing.
PlannedStep drbd_attach(const NodeName& node, const VolumeRecord& volume, bool is_newest);

/// What belongs to nothing, by name, as long as `made_by` made it. No undo: it was asked for.
PlannedStep orphan_remove(const NodeName& node, const std::string& name, const std::vector<std::string>& made_by, const std::vector<std::string>& parts);

/// The copy of a volume that was deleted while this node was away, if it is that copy. No undo.
PlannedStep orphan_remove_deleted(const PendingDelete& pending);

// A removal runs on the node that stays. Up to its commit nothing but the announcement is made; after it both sides finish, each
// by itself if need be.
PlannedStep remove_ready(const NodeName& node, const NodeName& leaver);      ///< looks: nothing runs, every copy that stays is whole
PlannedStep remove_commit(const NodeName& node, const NodeRecord& leaver, bool dead);  ///< the one commit record
PlannedStep remove_tell(const NodeName& node, const NodeRecord& leaver);     ///< the leaver puts its copies aside and is blank; bounded
PlannedStep remove_alone(const NodeName& node, const NodeRecord& leaver);    ///< corosync off, new secrets, its records forgotten
PlannedStep volume_one_leg(const NodeName& node, const VolumeRef& ref);      ///< without a connection, nobody to fence
PlannedStep volume_pair(const NodeName& node, const VolumeRef& ref);         ///< both legs again, fencing first; looks for the other
PlannedStep volume_following(const NodeName& node, const VolumeRef& ref);    ///< waits until the new leg follows this one

}  // namespace mcv::plans
