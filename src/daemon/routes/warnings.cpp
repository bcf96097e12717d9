// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/warnings.h"

#include <fmt/format.h>

#include "cluster/authority/settlement.h"
#include "cluster/authority/takeover.h"
#include "cluster/core/json_value.h"
#include "cluster/model/pending_delete.h"
#include "cluster/model/verify_policy.h"
#include "cluster/store/abilities.h"
#include "daemon/node/node.h"
#include "daemon/routes/alone_view.h"
#include "daemon/routes/volume_sight.h"
#include "storage/lvm/pool.h"

namespace mcv::views {

namespace {

void warn(Json& warnings, ErrorCode code, std::string text, std::string next) {
  warnings.push_back({{"code", to_text(code)}, {"text", std::move(text)}, {"next", std::move(next)}});
}

/// Of both nodes, each as it saw its own pools at most a minute ago.
void warn_of_pools(Json& warnings, const ClusterState& state, const plans::Facts& facts, const access::Sight& sight) {
  for (const auto& [name, there] : facts) {
    for (const auto& [key, pool] : there.pools) {
      if (!is_used(state, PoolName::trusted(key), sight)) continue;
      const bool is_well = pool.alarm == PoolAlarm::none && !pool.fill.waits_when_full;
      const ClusterState::Entry* entry = is_well ? nullptr : state.find(Kind::pool, key);
      const auto record = entry == nullptr ? Result<PoolRecord>(Error(ErrorCode::not_found, key)) : PoolRecord::from_json(entry->value);
      if (!record.ok()) continue;
      const std::string thin_pool = record->kind == PoolKind::thin ? fmt::format("{}/{}", record->volume_group_on(there.name), record->thin_pool) : std::string();
      if (pool.fill.waits_when_full) {
        PoolAdvice against = explain_waiting(record->name, there.name, thin_pool);
        warn(warnings, ErrorCode::pool_waits, std::move(against.text), std::move(against.next));
      }
      if (pool.alarm == PoolAlarm::none) continue;
      PoolAdvice advice = explain(pool.alarm, pool.fill, record->name, there.name, thin_pool);
      warn(warnings, pool.alarm == PoolAlarm::broken ? ErrorCode::pool_missing : ErrorCode::pool_full, std::move(advice.text), std::move(advice.next));
    }
  }
}

/// Of disks that were deleted while a node was away, and that it still has. Why it keeps one only that node knows.
void warn_of_late_deletes(Json& warnings, const Node& node, const access::Sight& sight) {
  if (!sight.everything()) return;
  for (const PendingDelete& pending : pending_deletes(node.shared.current())) {
    const std::string& where = pending.node.str();
    const std::string problem = pending.node == node.self() ? node.late_deletes.problem(pending.volume.name) : std::string();
    std::string text = fmt::format("{} was deleted while {} was away, which still has a copy: its name is taken{}{}", pending.volume.name.str(), where, problem.empty() ? "" : "; ", problem);
    warn(warnings, ErrorCode::in_use, std::move(text), fmt::format("{} removes it by itself when it is back and sees that it is the deleted one; hvctl storage list-orphans says why it keeps it", where));
  }
}

/// Of the cluster as a whole; false when nothing else is to be said.
bool warn_of_cluster(Json& warnings, const Node& node, const std::string& decide) {
  const ClusterState& state = node.shared.current();
  if (node.departure.is_passive()) {
    const Error removed = node.departure.refusal();
    warn(warnings, ErrorCode::removed, removed.message(), "nothing has to be done: its copies go into quarantine, then it is blank");
    return false;
  }
  if (!node.own_record().ok()) warn(warnings, ErrorCode::not_initialised, "this node is not initialised", "hvctl node init --all");
  if (const auto& reserved = node.reservation.kept(); reserved && !state.is_cluster()) {
    const std::string inviter = reserved->inviter.name.str();
    const bool silent = node.join_watch.inviter_says() == join::InviterSays::silent;
    warn(warnings, ErrorCode::busy, reserved->given_up ? fmt::format("the join with {} was given up: what it made here is being removed", inviter)
                                              : fmt::format("this node is reserved for the cluster of {}{}; changes are refused until that join has ended", inviter, silent ? ", which has not been heard since" : ""),
         fmt::format("on {}: hvctl op list; or, when {} is gone for good: hvctl cluster join --abandon", inviter, inviter));
  }
  const Link link = node.shared.link();
  const authority::Standpoint standpoint = node.authority.standpoint();
  const authority::Authority authority = authority::authority_over_peer(standpoint);
  if (authority::is_away(standpoint)) {
    const authority::Leave* leave = standpoint.own_leave.standing();
    const std::int64_t since = leave != nullptr ? leave->wall_seconds : standpoint.own_left->wall_seconds;
    const bool is_leaving = node.leave.keeps_closed();
    warn(warnings, ErrorCode::no_authority, is_leaving ? fmt::format("{} left in order and is being shut down: it opens nothing replicated", node.self().str())
                                           : fmt::format("{} left in order at {} and was not in contact with {} since, which was let go on: nothing replicated starts here", node.self().str(), utc(since), standpoint.peer.str()),
         is_leaving ? "if this machine stays on after all: systemctl reboot" : decide);
  } else if (authority == authority::Authority::by_consent) {
    warn(warnings, ErrorCode::peer_unreachable, fmt::format("{} left in order, since {}: this node decides alone, changes are stored on one node", standpoint.peer.str(), utc(standpoint.peer_left->wall_seconds)),
         fmt::format("nothing has to be done: when {} is switched on it takes over what was decided and is resynchronised from here; hvctl vm start VM starts a VM of {} here", standpoint.peer.str(), standpoint.peer.str()));
  } else if (authority == authority::Authority::by_word && authority::decides_after_leave(standpoint)) {
    warn(warnings, ErrorCode::peer_unreachable, fmt::format("{0} was confirmed down although it was let go on when this node left: this node decides alone without what {0} wrote and decided since, changes are stored on one node", standpoint.peer.str()),
         fmt::format("each replicated disk stays closed until its copy here is accepted by name (hvctl drbd list, hvctl cluster accept-copy DISK). When {0} is lost for good: hvctl cluster remove-node --node {0} --dead; when it is switched on after all neither history is overwritten and a person has to choose", standpoint.peer.str()));
  } else if (authority == authority::Authority::by_word && authority::stands_apart(standpoint)) {
    warn(warnings, ErrorCode::peer_unreachable, fmt::format("{0} was confirmed down while two histories stood: this node goes on alone with its own, without what {0} decided and wrote alone, changes are stored on one node", standpoint.peer.str()),
         fmt::format("a disk that stays closed is opened by its name (hvctl drbd list, hvctl cluster accept-copy DISK). When {0} is lost for good: hvctl cluster remove-node --node {0} --dead; when it is switched on after all neither history is overwritten and a person has to choose", standpoint.peer.str()));
  } else if (authority == authority::Authority::by_word) {
    warn(warnings, ErrorCode::peer_unreachable, fmt::format("{} was confirmed down: this node decides alone, changes are stored on one node", standpoint.peer.str()),
         fmt::format("bring {} back: it takes over what was decided and is resynchronised from here", standpoint.peer.str()));
  } else if (authority == authority::Authority::earlier) {
    warn(warnings, ErrorCode::no_authority, fmt::format("{} was confirmed down before this node was booted; nothing replicated starts by itself", standpoint.peer.str()), decide);
  } else if (link.state == LinkState::apart) {
    const bool runs_alone = standpoint.peer_loss.here == PeerLoss::run_alone;
    warn(warnings, ErrorCode::peer_unreachable, link.reason + (runs_alone ? "; the guests of this node go on alone (policy run-alone), nothing else replicated starts" : "; nothing replicated starts by itself"), decide);
  } else if (link.state == LinkState::diverged) {
    warn(warnings, ErrorCode::diverged, fmt::format("{}; both histories are kept, changes are refused, replicated disks stay apart", link.reason), "hvctl cluster diverged");
  } else if (state.is_cluster() && !link.reason.empty()) {
    warn(warnings, ErrorCode::peer_unreachable, link.reason, "on the other node: systemctl status mcvd corosync");
  }
  for (const auto& [key, entry] : state.all(Kind::setting)) {
    if (!authority::is_given_up_list(Kind::setting, key) || !entry.value.is_object()) continue;
    warn(warnings, ErrorCode::diverged, fmt::format("a history of {} was given up; what it had changed is kept as a list", value_in(entry.value, "other", "the other node")), "hvctl cluster diverged");
  }
  if (const auto other = node.shared.other_build(); other && other->knows && peer_loss(state) == PeerLoss::run_alone && !other->knows->features.contains(feature::run_alone)) {
    warn(warnings, ErrorCode::version_mismatch, fmt::format("the build on {} does not know the policy run-alone: it would not take into account that {} may have gone on alone", other->node, node.self().str()),
         fmt::format("on {}: mcvd --version, then install the same package; or: hvctl cluster update --peer-loss freeze", other->node));
  }
  return true;
}

}  // namespace

Json warnings_of(const Node& node, const plans::Facts& facts, const access::Sight& sight) {
  Json warnings = Json::array();
  const ClusterState& state = node.shared.current();
  const std::string decide = state.is_cluster() ? authority::deciding_command(node.authority.standpoint()) : std::string();
  // What concerns the cluster is for who can do something about it, and names what is in it.
  if (sight.everything() && !warn_of_cluster(warnings, node, decide)) return warnings;
  warn_of_pools(warnings, state, facts, sight);
  warn_of_late_deletes(warnings, node, sight);
  const AloneView alone(node);
  for (const VolumeRecord& volume : state.volumes()) {
    if (volume.kind != VolumeKind::drbd || !sight.covers(volume.vm)) continue;
    // Where the VM runs its I/O is held; the other leg would not tell.
    bool held = false;
    for (const auto& [name, there] : facts) {
      const VolumeFacts* seen = seen_on(there.name, volume.name, facts);
      if (seen == nullptr || !seen->suspended.held()) continue;
      held = true;
      for (HoldAdvice& advice : explain(seen->suspended, volume.name, volume.resource())) {
        // The other node comes back, or a person says that it is off.
        if (advice.reason == HoldReason::fencing && there.name == node.self() && !decide.empty()) advice.next = decide;
        warn(warnings, ErrorCode::not_up_to_date, fmt::format("{} on {}: {}", volume.vm.str(), name, advice.text), std::move(advice.next));
      }
    }
    const VolumeFacts* here = seen_on(node.self(), volume.name, facts);
    const auto older = older_seen_by(state, node.self(), volume.name, here);
    const auto lost = lost_seen_by(state, node.self(), volume, here);
    const auto went_on = alone.text(volume, here);
    if (lost) warn(warnings, ErrorCode::not_up_to_date, lost->text, lost->next);
    if (went_on) warn(warnings, ErrorCode::not_up_to_date, went_on->text, went_on->next);
    else if (older) warn(warnings, ErrorCode::not_up_to_date, older->text, older->next);
    else if (!held && !state.is_cluster()) {
      warn(warnings, ErrorCode::not_up_to_date, volume.name.str() + " has one leg: this copy is the only one", "hvctl cluster add-node --node NAME --ip-address IP, which makes the second one");
    } else if (!held && !lost && (here == nullptr || !here->redundant() || !alone.is_settled(volume.name))) warn(warnings, ErrorCode::not_up_to_date, volume.name.str() + " is not redundant now", "hvctl drbd list");
    if (const auto overdue = verify_overdue(volume, state, node.host.clock.wall_seconds())) warn(warnings, ErrorCode::verify_overdue, *overdue, fmt::format("hvctl verify {}", volume.vm.str()));
    std::string closed = gate_text(volume, node.verify_gate);
    if (closed.empty()) continue;
    if (volume.verdict.kind == VerdictKind::mismatch) warn(warnings, ErrorCode::verify_mismatch, std::move(closed), fmt::format("hvctl resync {0}, then hvctl verify {0}", volume.vm.str()));
    else warn(warnings, ErrorCode::verify_gate, std::move(closed), fmt::format("with both nodes connected: hvctl verify {}", volume.vm.str()));
  }
  return warnings;
}

}  // namespace mcv::views
