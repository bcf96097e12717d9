// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/settlement.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>

namespace mcv::authority {
namespace {

/// A guest that may execute, or a replicated disk that is open for writing.
bool is_active(const NodeFacts& node, const VmName& vm, const std::vector<VolumeRecord>& volumes) {
  const auto guest = node.vms.find(vm.str());
  if (guest != node.vms.end() && guest->second.state != RunState::stopped) return true;
  return std::any_of(volumes.begin(), volumes.end(), [&](const VolumeRecord& volume) {
    const auto seen = node.volumes.find(volume.name.str());
    return volume.kind == VolumeKind::drbd && seen != node.volumes.end() && seen->second.role == DiskRole::primary;
  });
}

Error still_runs(const VmName& vm, const NodeName& where, const std::string& why) {
  return Error(ErrorCode::guest_running, fmt::format("{} runs on {}, {}", vm.str(), where.str(), why))
      .with_safe("no guest was ended, both histories are kept, nothing was changed")
      .with_next(fmt::format("on {}: hvctl vm stop {}; then the same command again", where.str(), vm.str()));
}

Error cannot_come_along(const VmRecord& vm, const NodeName& other, const std::string& why) {
  return Error(ErrorCode::in_use, fmt::format("{} exists in the history of {} only, with its disks, and cannot come along: {}", vm.name.str(), other.str(), why))
      .with_safe("both histories are kept, nothing was changed")
      .with_next(fmt::format("hvctl cluster diverged --base {} keeps it", other.str()));
}

class Settling {
 public:
  explicit Settling(const SettleQuestion& question) : q_(question) {}

  Result<Settlement> run() {
    std::set<VmName> names;
    for (const VmRecord& vm : ours().vms()) names.insert(vm.name);
    for (const VmRecord& vm : theirs().vms()) names.insert(vm.name);
    for (const VmName& name : names) {
      const auto here = ours().vm(name);
      const auto there = theirs().vm(name);
      if (here.ok() && there.ok() && here->uuid != there->uuid) {
        MCV_CHECK(two_of_one_name(*here, *there));
      } else if (here.ok() && there.ok()) {
        MCV_CHECK(known_to_both(*here, *there));
      } else if (there.ok()) {
        MCV_CHECK(come_along(*there));
      } else {
        MCV_CHECK(known_to_base(*here));
      }
    }
    ClusterState after = ours();
    Change change;
    change.mutations = result_.mutations;
    MCV_CHECK(after.apply(change, 0));
    for (ToRepeat& item : to_repeat(q_, after)) result_.to_repeat.push_back(std::move(item));
    return std::move(result_);
  }

 private:
  const ClusterState& ours() const { return q_.ours.state; }
  const ClusterState& theirs() const { return q_.theirs.state; }

  void say(const VmName& vm, const NodeName& owner, std::string text) { result_.vms.push_back({vm, owner, std::move(text)}); }

  Error runs_on_both(const VmName& vm) const {
    return Error(ErrorCode::guest_running, fmt::format("{} runs on {} and on {}, each on a copy of its own", vm.str(), q_.base.str(), q_.other.str()))
        .with_safe("no guest was ended, both histories are kept, nothing was changed")
        .with_next(fmt::format("on the node whose copy may be given up: hvctl vm stop {0}, or hvctl vm kill {0} where its disk is held; then the same command again", vm.str()));
  }

  Status two_of_one_name(const VmRecord& here, const VmRecord& there) {
    const std::string why = fmt::format("and {} has another VM of that name, which stays", q_.base.str());
    if (is_active(q_.other_facts, there.name, theirs().volumes_of(there))) return still_runs(there.name, q_.other, why);
    say(here.name, here.owner, fmt::format("the one of {} stays; {} has another VM of that name, which is given up", q_.base.str(), q_.other.str()));
    std::string disks;
    for (const VolumeRecord& volume : theirs().volumes_of(there)) disks += fmt::format(" {}", volume.resource());
    if (!disks.empty()) result_.to_repeat.push_back({fmt::format("the disks of the VM {} that is given up stay on {} as they are:{}", there.name.str(), q_.other.str(), disks), ""});
    return success();
  }

  Status known_to_base(const VmRecord& here) {
    if (is_active(q_.other_facts, here.name, ours().volumes_of(here))) return still_runs(here.name, q_.other, fmt::format("whose own history has no such VM; the one of {} has", q_.base.str()));
    return success();
  }

  /// By records about who went on alone, where observing says nothing: both copies are closed.
  std::optional<NodeName> went_on_alone(const std::vector<VolumeRecord>& volumes) const {
    const auto all_by = [&](const NodeName& node) {
      bool any = false;
      for (const VolumeRecord& volume : volumes) {
        if (volume.kind != VolumeKind::drbd) continue;
        any = true;
        if (!q_.ledger.stands(node, volume.name)) return false;
      }
      return any;
    };
    const auto none_by = [&](const NodeName& node) {
      return std::none_of(volumes.begin(), volumes.end(), [&](const VolumeRecord& volume) { return volume.kind == VolumeKind::drbd && q_.ledger.stands(node, volume.name); });
    };
    if (all_by(q_.base) && none_by(q_.other)) return q_.base;
    if (all_by(q_.other) && none_by(q_.base)) return q_.other;
    return std::nullopt;
  }

  Status known_to_both(const VmRecord& here, const VmRecord& there) {
    const std::vector<VolumeRecord> volumes = ours().volumes_of(here);
    const bool at_base = is_active(q_.base_facts, here.name, volumes);
    const bool at_other = is_active(q_.other_facts, here.name, theirs().volumes_of(there));
    if (at_base && at_other) return runs_on_both(here.name);
    if (at_other && here.deleting) return still_runs(here.name, q_.other, fmt::format("and {} is deleting it", q_.base.str()));
    NodeName owner = here.owner;
    std::string text = fmt::format("belongs to {}, as in both histories", owner.str());
    if (at_base || at_other) {
      owner = at_base ? q_.base : q_.other;
      text = fmt::format("belongs to {}, where it runs", owner.str());
    } else if (here.owner != there.owner) {
      const auto alone = went_on_alone(volumes);
      owner = alone.value_or(here.owner);
      text = alone ? fmt::format("belongs to {}, the only one that went on with its disks", owner.str())
                   : fmt::format("belongs to {}, as in the history that stays; {} may have written to its disks as well, and such a copy stays apart until a person gives it up", owner.str(),
                                 (owner == q_.base ? q_.other : q_.base).str());
    }
    for (const VolumeRecord& volume : volumes) {
      if (volume.kind == VolumeKind::local && volume.node != owner.str() && (at_base || at_other)) return still_runs(here.name, owner, fmt::format("and its local disk is recorded on {}", volume.node));
    }
    if (owner != here.owner) result_.mutations.push_back(patch(Kind::vm, here.name.str(), {{"owner", owner.str()}}, Json{{"owner", here.owner.str()}}));
    if (owner == q_.other) follow_last_primary(volumes);
    if (at_base || at_other || here.owner != there.owner) say(here.name, owner, std::move(text));
    return success();
  }

  /// Who was Primary last is true of the disk, whatever history knows it.
  void follow_last_primary(const std::vector<VolumeRecord>& volumes) {
    for (const VolumeRecord& volume : volumes) {
      const auto there = theirs().volume(volume.name);
      if (volume.kind != VolumeKind::drbd || !there.ok() || there->last_primary == volume.last_primary) continue;
      result_.mutations.push_back(patch(Kind::volume, volume.name.str(), {{"last_primary", there->last_primary}}));
    }
  }

  Status come_along(const VmRecord& there) {
    const std::vector<VolumeRecord> volumes = theirs().volumes_of(there);
    if (is_active(q_.base_facts, there.name, volumes)) return still_runs(there.name, q_.base, fmt::format("whose own history has no such VM; the one of {} has", q_.other.str()));
    for (const VolumeRecord& volume : volumes) {
      MCV_CHECK(bring_pool(there, volume));
      MCV_CHECK(bring_volume(there, volume));
    }
    for (const NicRecord& nic : there.nics) {
      if (ours().find(Kind::network, nic.network.str()) == nullptr && brought_.insert("network/" + nic.network.str()).second) {
        bring(Kind::network, nic.network.str());
      }
    }
    bring(Kind::vm, there.name.str());
    say(there.name, there.owner, fmt::format("exists in the history of {} only: comes along with its disks, and belongs to {}", q_.other.str(), there.owner.str()));
    if (deleted_by_base(there.name)) result_.to_repeat.push_back({fmt::format("{} had deleted {}, whose disk {} still has", q_.base.str(), there.name.str(), q_.other.str()), "hvctl vm delete " + there.name.str()});
    return success();
  }

  bool deleted_by_base(const VmName& vm) const {
    return std::any_of(q_.ours.entries.begin(), q_.ours.entries.end(), [&](const HistoryEntry& entry) {
      return std::find(entry.objects.begin(), entry.objects.end(), TouchedObject{Kind::vm, vm.str(), "deleted"}) != entry.objects.end();
    });
  }

  Status bring_pool(const VmRecord& vm, const VolumeRecord& volume) {
    MCV_TRY(const PoolRecord pool, theirs().pool(volume.pool));
    const auto here = ours().pool(volume.pool);
    if (here.ok() && *here == pool) return success();
    if (here.ok()) return cannot_come_along(vm, q_.other, fmt::format("its disk {} lies in a pool {} that is another one in the history of {}", volume.name.str(), pool.name.str(), q_.base.str()));
    if (brought_.insert("pool/" + pool.name.str()).second) bring(Kind::pool, pool.name.str());
    return success();
  }

  Status bring_volume(const VmRecord& vm, const VolumeRecord& volume) {
    for (const VolumeRecord& other : ours().volumes()) {
      if (other.name == volume.name) return cannot_come_along(vm, q_.other, fmt::format("the name of its disk {} belongs to {} in the history of {}", volume.name.str(), other.vm.str(), q_.base.str()));
      const bool both_replicated = volume.kind == VolumeKind::drbd && other.kind == VolumeKind::drbd;
      if (both_replicated && (other.minor == volume.minor || other.port == volume.port)) {
        return cannot_come_along(vm, q_.other, fmt::format("the number or port of its disk {} belongs to {} in the history of {}", volume.name.str(), other.name.str(), q_.base.str()));
      }
    }
    bring(Kind::volume, volume.name.str());
    return success();
  }

  /// As it is recorded, with what a newer build wrote into it.
  void bring(Kind kind, const std::string& key) {
    const ClusterState::Entry* entry = theirs().find(kind, key);
    if (entry == nullptr) return;
    Mutation mutation;
    mutation.kind = kind;
    mutation.key = key;
    mutation.expected_revision = 0;
    mutation.value = entry->value;
    result_.mutations.push_back(std::move(mutation));
  }

  const SettleQuestion& q_;
  Settlement result_;
  std::set<std::string> brought_;
};

}  // namespace

Result<Settlement> settle(const SettleQuestion& question) { return Settling(question).run(); }

bool is_given_up_list(Kind kind, const std::string& key) { return kind == Kind::setting && key.starts_with(given_up_prefix); }

}  // namespace mcv::authority
