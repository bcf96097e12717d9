// SPDX-License-Identifier: Apache-2.0
// The policy run-alone: who loses the other node goes on with its own guests, on one copy. What that may lose was announced: a
// person accepted the older copy, by name. Everything else is as under freeze: nothing runs twice, no acknowledged write is lost,
// and where both copies went on neither is overwritten.
#include <fmt/format.h>

#include "world/alone_world.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

/// Detection, the question of the kernel and its answer; a daemon that was away looks at what it finds for ten seconds more.
constexpr Time hold_bound = 20s;
constexpr Time daemon_bound = 60s;

}  // namespace

void AloneSchedule::set_policy(const char* policy) {
  insist(chance().below(2), "PATCH", "/v1/cluster", {{"peer_loss", policy}}, "cluster update");
}

/// No hold is longer than its bound, although nobody decided anything.
void AloneSchedule::must_go_on_alone(std::size_t node, const VmName& vm, Time bound) {
  if (!well() || !may_run_on(node, vm)) return;
  const std::uint64_t before = highest(vm);
  if (!run_events([&] { return highest(vm) > before + 1; }, bound) && well()) violation(fmt::format("I4: {} is held on {} although the policy is run-alone", vm.str(), node_name(node)));
  ++report_.covered[fmt::format("goes on by policy × {}", fault_)];
}

/// As the daemons have it together, so asked before anything is cut.
std::vector<VmName> AloneSchedule::owned_by(std::size_t node) {
  std::vector<VmName> owned;
  const std::size_t asked = up(node) ? node : 1 - node;
  for (const VmName& vm : guests) {
    if (owner(asked, vm) == node) owned.push_back(vm);
  }
  return owned;
}

void AloneSchedule::own_guests_go_on_alone(std::size_t node, Time bound) {
  for (const VmName& vm : owned_by(node)) must_go_on_alone(node, vm, bound);
}

std::uint64_t AloneSchedule::on_disk(std::size_t node, const VmName& vm, std::uint64_t block) {
  const auto record = machines_[node]->powered() && up(node) ? state(node).volume(VolumeName::trusted(vm.str() + "-0")) : state(1 - node).volume(VolumeName::trusted(vm.str() + "-0"));
  return drbd_->on_disk(node, record->minor, block);
}

/// A VM of the node that is lost, or seems so: refused until a person accepts the copy, and then what is missing was announced.
void AloneSchedule::accept_and_start(std::size_t survivor, const VmName& vm) {
  if (!insist_on_confirming(survivor, false)) return;
  const Answer refused = call(survivor, "POST", path(vm) + "/start", Json::object(), false);
  run_events([&] { return up(survivor) && daemon(survivor).operations.running() == 0; }, 300s);
  if (refused.ok() || runs_on(survivor, vm)) return violation(fmt::format("I5: {} starts on {} although the other node may have gone on with it", vm.str(), node_name(survivor)));
  const Json body = {{"volume", vm.str() + "-0"}, {"may_be_older", true}};
  const Answer accepted = call(survivor, "POST", "/v1/cluster/accept-copy", body, false);
  ++report_.covered[fmt::format("accept-copy {} × {}", accepted.error ? to_text(accepted.error->code()) : "taken", fault_)];
  if (!accepted.ok()) {
    // A copy in the middle of a resync is nobody's choice.
    if (accepted.error && accepted.error->code() == ErrorCode::not_up_to_date) return;
    return violation(fmt::format("I4: the copy of {} on {} cannot be accepted", vm.str(), node_name(survivor)));
  }
  fork_lineage(survivor, vm);
  start_here(survivor, vm, false);
  must_go_on(survivor, vm);
}

/// From here on the guest's disk is this copy, and what it lacks was announced. The other one's writes are still kept there.
void AloneSchedule::fork_lineage(std::size_t survivor, const VmName& vm) {
  auto& told = acknowledged_[vm.str()];
  other_lineage_[vm.str()] = told;
  for (auto& [block, value] : told) {
    const std::uint64_t kept = on_disk(survivor, vm, block);
    if (kept < value) lossy_.insert(vm.str());
    value = std::min(value, kept);
  }
  accepted_on_[vm.str()] = survivor;
}

/// The nodes meet after a copy was accepted. Either it was the newer one all the same, and all is one again; or both are kept.
void AloneSchedule::meet() {
  heal();
  const auto together = [&] { return up(0) && up(1) && daemon(0).shared.link().state == LinkState::together && daemon(1).shared.link().state == LinkState::together; };
  if (!run_events(together, 300s) && well()) violation("I3: the nodes do not come together");
  const auto is_equal = [&](const std::string& vm) {
    for (const SimDrbd::Seen& seen : drbd_->look(0)) {
      if (seen.resource == "mcv-" + vm + "-0") return seen.connection == "Connected" && seen.replication == "Established";
    }
    return false;
  };
  // Long enough for every attempt to connect.
  const auto all_equal = [&] {
    for (const auto& [vm, node] : accepted_on_) {
      if (!is_equal(vm)) return false;
    }
    return true;
  };
  run_events(all_equal, 120s);
  for (const auto& [vm, node] : accepted_on_) {
    if (!well()) return;
    if (lossy_.contains(vm) && is_equal(vm)) return violation(fmt::format("I2: what was written to {} on {} alone was discarded silently", vm, node_name(1 - node)));
    ++report_.covered[fmt::format("{} × {}", is_equal(vm) ? "an accepted copy was the newest" : "two copies are kept", fault_)];
    if (is_equal(vm)) continue;
    two_copies_.insert(vm);
    for (const auto& [block, value] : other_lineage_[vm]) {
      if (on_disk(1 - node, VmName::trusted(vm), block) < value) return violation(fmt::format("I2: the copy of {} on {} lost what was written there alone", vm, node_name(1 - node)));
    }
    for (const std::size_t asked : both) {
      const Answer info = call(asked, "GET", "/v1/info", Json(), false);
      if (info.body.dump().find(vm + "-0 has two copies") == std::string::npos) return violation(fmt::format("I4: {} does not say that there are two copies of {}", node_name(asked), vm));
    }
    must_go_on(node, VmName::trusted(vm));
    if (runs_on(1 - node, VmName::trusted(vm))) violation(fmt::format("I1: {} still runs on {}", vm, node_name(1 - node)));
  }
}

/// Two copies are a person's business: the schedule ends with them.
bool AloneSchedule::one_copy_is_left() {
  if (well() && !accepted_on_.empty()) meet();
  if (!two_copies_.empty()) return false;
  for (auto& [vm, node] : accepted_on_) other_lineage_.erase(vm);
  accepted_on_.clear();
  return true;
}

void AloneSchedule::one_node_lost() {
  const std::size_t victim = chance().below(2);
  const std::size_t survivor = 1 - victim;
  const std::vector<VmName> own = owned_by(survivor);
  const std::vector<VmName> others = owned_by(victim);
  for (const VmName& vm : own) {
    if (runs_on(survivor, vm) && chance().one_in(3)) insist(survivor, "POST", path(vm) + "/stop", Json::object(), "vm stop");
  }
  fault_ = "peer lost";
  const bool was_away = chance().one_in(4);
  if (was_away) {
    fault_ = "peer lost, daemon crash";
    end_daemon(survivor);
  }
  power_off(victim);
  if (was_away) {
    pass(milliseconds(chance().below(15'000)));
    heal_node(survivor);
  }
  own_guests_go_on_alone(survivor, was_away ? daemon_bound : hold_bound);
  // Both the kernel and corosync have noticed it: before, a start would ask the other node.
  pass(5s);
  for (const VmName& vm : own) {
    if (!well() || runs_on(survivor, vm) || chance().one_in(4)) continue;
    // The first opening of a disk is a shared change, which nobody makes alone by policy.
    if (state(survivor).volume(VolumeName::trusted(vm.str() + "-0"))->last_primary != node_name(survivor)) continue;
    try_to_start(survivor, vm, "of an own VM");
    if (well() && !runs_on(survivor, vm)) violation("I4: an own VM does not start although the policy is run-alone");
  }
  for (const VmName& vm : others) {
    if (!well()) return;
    const Answer refused = call(survivor, "POST", path(vm) + "/start", Json::object(), false);
    if (refused.ok()) violation("I1: the policy started a VM of the other node");
  }
  pass(milliseconds(chance().between(0, 20'000)));
  if (well() && chance().one_in(4)) {
    lone_boot(survivor);
    ++report_.covered["lone boot × " + fault_];
  }
  for (const VmName& vm : others) {
    if (well() && chance().one_in(2)) accept_and_start(survivor, vm);
  }
  pass(milliseconds(chance().between(0, 10'000)));
  if (well()) power_on(victim);
  if (well() && accepted_on_.empty() && chance().one_in(3)) {
    // Lost again before both copies are equal.
    pass(milliseconds(chance().between(0, 6000)));
    power_off(victim);
    ++report_.covered["lost again while it comes back × " + fault_];
    pass(5s);
    own_guests_go_on_alone(survivor, daemon_bound);
    if (well()) power_on(victim);
  }
}

/// Both live, and each is alone: both guests go on. Then one of them, perhaps, is lost for good: what it wrote alone is missed
/// by nobody who was not told.
void AloneSchedule::both_alone() {
  fault_ = "everything cut";
  network_.cut = true;
  corosync_.cut();
  drbd_->cut();
  pass(milliseconds(chance().between(0, 3000)));
  for (const std::size_t node : both) own_guests_go_on_alone(node, hold_bound);
  if (well() && chance().one_in(3)) {
    const std::size_t node = chance().below(2);
    fault_ = "everything cut, daemon crash";
    end_daemon(node);
    pass(milliseconds(chance().below(15'000)));
    heal_node(node);
    own_guests_go_on_alone(node, daemon_bound);
  }
  pass(milliseconds(chance().between(0, 20'000)));
  if (well() && chance().one_in(2)) {
    const std::size_t victim = chance().below(2);
    const std::vector<VmName> others = owned_by(victim);
    fault_ = "everything cut, then one node lost";
    power_off(victim);
    for (const VmName& vm : others) {
      if (well() && chance().one_in(2)) accept_and_start(1 - victim, vm);
    }
    pass(milliseconds(chance().between(0, 10'000)));
    if (well()) power_on(victim);
  }
  // In any order.
  const bool copies_first = chance().one_in(2);
  if (copies_first) drbd_->heal();
  pass(milliseconds(chance().between(0, 15'000)));
  network_.cut = false;
  corosync_.heal();
  if (!copies_first) {
    pass(milliseconds(chance().between(0, 15'000)));
    drbd_->heal();
  }
}

/// Said of a node that lives and goes on: the one cell in which one VM runs twice, each on a copy of its own.
void AloneSchedule::accepted_by_a_false_word() {
  const std::size_t survivor = chance().below(2);
  const std::size_t other = 1 - survivor;
  const std::vector<VmName> others = owned_by(other);
  if (others.empty()) return;
  const VmName vm = others[chance().below(others.size())];
  fault_ = "everything cut, a false word";
  false_word_ = true;
  network_.cut = true;
  corosync_.cut();
  drbd_->cut();
  pass(milliseconds(chance().between(2500, 10'000)));
  may_run_twice_ = vm.str();
  accept_and_start(survivor, vm);
  pass(milliseconds(chance().between(0, 20'000)));
  network_.cut = false;
  corosync_.heal();
  drbd_->heal();
  const auto given_up = [&] {
    if (!up(other) || daemon(other).shared.link().state != LinkState::together) return false;
    for (const auto& [unit, vmm] : machines_[other]->vmms) {
      if (vmm->vm == vm.str()) return false;
    }
    for (const SimDrbd::Seen& seen : drbd_->look(other)) {
      if (seen.resource == "mcv-" + vm.str() + "-0" && seen.primary) return false;
    }
    return true;
  };
  if (well() && !accepted_on_.empty() && !run_events(given_up, 400s)) violation("I1: a node does not give up what was taken over from it");
  false_word_ = false;
  may_run_twice_.clear();
}

/// The link comes and goes, and the policy with it.
void AloneSchedule::policy_changes() {
  fault_ = "cut in the middle of a change of the policy";
  const bool back = chance().one_in(2);
  const std::size_t asked = chance().below(2);
  if (chance().one_in(2)) {
    scheduler_.after(0, milliseconds(chance().below(30)), [this] {
      network_.cut = true;
      corosync_.cut();
      drbd_->cut();
    });
  } else {
    network_.cut = true;
    corosync_.cut();
    drbd_->cut();
  }
  const Answer changed = call(asked, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}}, false);
  ++report_.covered[fmt::format("cluster update {} × {}", changed.error ? to_text(changed.error->code()) : "done", fault_)];
  const bool was_done = changed.ok();
  std::array<std::uint64_t, 2> before{};
  pass(30s);
  for (const std::size_t node : both) before[node] = highest(guests[node]);
  pass(20s);
  for (const std::size_t node : both) {
    if (well() && was_done && up(node) && highest(guests[node]) > before[node] + 1) violation(fmt::format("I2: {} goes on alone after freeze was confirmed", node_name(node)));
  }
  network_.cut = false;
  corosync_.heal();
  drbd_->heal();
  heal();
  pass(20s);
  if (well() && back) set_policy("run-alone");
  else if (well()) policy_is_freeze_ = true;
}

ScheduleReport AloneSchedule::run_alone_policy(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  if (well()) set_policy("run-alone");
  if (well()) create_guests();
  for (std::uint64_t round = chance().between(1, 3); round > 0 && well() && !policy_is_freeze_; --round) {
    switch (chance().below(8)) {
      case 0:
      case 1: both_alone(); break;
      case 2: accepted_by_a_false_word(); break;
      case 3: copies_lost_for_a_while(); break;
      case 4: policy_changes(); break;
      default: one_node_lost(); break;
    }
    if (!one_copy_is_left()) break;
    if (well()) come_together();
  }
  return finish("run-alone", seed);
}

void AloneSchedule::copies_lost_for_a_while() {
  fault_ = "replication link cut";
  drbd_->cut();
  trouble_meanwhile();
  for (const std::size_t node : both) own_guests_go_on_alone(node, 120s);
  pass(milliseconds(chance().between(0, 20'000)));
  drbd_->heal();
}

ScheduleReport run_alone_schedule(std::uint64_t seed, bool print_trace) { return AloneSchedule(seed, print_trace).run_alone_policy(seed); }

}  // namespace mcv::sim
