// SPDX-License-Identifier: Apache-2.0
// Machines are rebooted and powered off in order, with faults in the middle of that and on the way back. The node that stays
// writes on and may decide alone; the one that left opens nothing before it is back; nothing runs twice or loses a write.
#include <algorithm>
#include <fmt/format.h>

#include "cluster/authority/acceptance.h"
#include "cluster/authority/leave.h"
#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

const std::array<VmName, 2> guests = {VmName::trusted("vm1"), VmName::trusted("vm2")};

class LeaveSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);

 private:
  const ClusterState& state(std::size_t node) { return daemon(node).shared.current(); }
  std::size_t owner(std::size_t asked, const VmName& vm) { return state(asked).vm(vm)->owner.str() == "A" ? 0 : 1; }
  bool runs_on(std::size_t node, const VmName& vm) { return up(node) && daemon(node).guests.facts(vm).state == RunState::running; }
  bool is_held(std::size_t node);
  bool acts_alone(std::size_t node) { return up(node) && authority::may_act_alone(daemon(node).authority.standpoint()); }
  std::uint64_t highest(const VmName& vm);
  static std::string path(const VmName& vm) { return "/v1/vms/" + vm.str(); }

  void create_guests();
  void must_go_on(std::size_t node, const VmName& vm);
  bool shut_down(std::size_t leaver, bool with_faults);
  void the_other_goes_on(std::size_t stays, bool disturbed);
  void start_here(std::size_t stays, const VmName& vm, bool must_work);
  void stays_is_booted(std::size_t stays);
  void leaver_alone(std::size_t leaver);
  void other_one_lost_for_good(std::size_t leaver);
  bool accept(std::size_t node, const VmName& vm);
  bool remove_dead(std::size_t stays, const char* what);
  bool retry_failed(std::size_t node);
  void goes_on_alone(std::size_t node);
  void becomes_blank(std::size_t node);
  void two_histories(std::size_t leaver);
  std::uint64_t on_disk(std::size_t node, const VmName& vm, std::uint64_t block);
  void cut_on_the_way_back(std::size_t leaver);
  void round();
  void come_together();
  void check_copies();

  bool is_one_left_ = false;  ///< a node was lost for good, or removed: the story ends there
};

std::uint64_t LeaveSchedule::highest(const VmName& vm) {
  std::uint64_t value = 0;
  for (const auto& [block, written] : acknowledged_[vm.str()]) value = std::max(value, written);
  return value;
}

bool LeaveSchedule::is_held(std::size_t node) {
  for (const SimDrbd::Seen& seen : drbd_->look(node)) {
    if (seen.held) return true;
  }
  return false;
}

void LeaveSchedule::create_guests() {
  for (const std::size_t node : both) {
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json disk = {{"size", std::uint64_t{64} << 20}};
    const Json create = {{"name", guests[node].str()}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
    if (well()) insist(node, "POST", "/v1/vms", create, "vm create");
    if (well() && !chance().one_in(4)) insist(node, "POST", path(guests[node]) + "/start", Json::object(), "vm start");
  }
  pass(milliseconds(chance().between(3000, 20'000)));
}

void LeaveSchedule::must_go_on(std::size_t node, const VmName& vm) {
  if (!well() || !runs_on(node, vm)) return;
  const std::uint64_t before = highest(vm);
  if (!run_events([&] { return highest(vm) > before + 1; }, 120s) && well()) violation(fmt::format("I4: {} does not write on {} although nothing is in its way", vm.str(), node_name(node)));
}

/// What systemd does: the unit's stop, by hvctl, which asks again when mcvd was killed; then mcvd, corosync, the power. True
/// when the node said that it left.
bool LeaveSchedule::shut_down(std::size_t leaver, bool with_faults) {
  const std::size_t stays = 1 - leaver;
  scheduler_.say("shutdown of " + node_name(leaver));
  machines_[leaver]->shutting_down = true;
  bool left = false;
  bool held = false;
  for (int tries = 0; tries < 4 && well() && machines_[leaver]->shutting_down; ++tries) {
    const Answer answer = call(leaver, "POST", "/v1/node/leave", Json::object(), with_faults && tries < 2);
    held = held || is_held(stays);
    if (answer.ok()) {
      left = answer.body["result"].value("left", false);
      break;
    }
    if (answer.answered) break;
    if (machines_[leaver]->powered()) keep_alive(leaver);
  }
  end_faults();
  ++report_.covered[fmt::format("leave {} × {}", left ? "done" : "not done", fault_)];
  if (!machines_[leaver]->shutting_down) {
    // Cut off by a loss of power, and booted since.
    ++report_.covered["leave cut off × power cut"];
    return false;
  }
  if (left && !machines_[leaver]->vmms.empty()) violation("I1: a node says that it left while a guest runs on it");
  if (left && up(leaver) && !authority::has_left(state(leaver), daemon(leaver).self())) violation("I4: a node says that it left, and its configuration does not");
  if (!with_faults && !left && well()) violation("I4: an undisturbed leave is not done");
  end_daemon(leaver);
  run_events([&] { held = held || is_held(stays); return false; }, milliseconds(chance().between(0, 3000)));
  power_off(leaver);
  run_events([&] { held = held || is_held(stays); return false; }, milliseconds(chance().between(2000, 6000)));
  if (!with_faults && held && well()) violation("I4: the node that stays held writes at an orderly shutdown of the other one");
  return left;
}

void LeaveSchedule::start_here(std::size_t stays, const VmName& vm, bool must_work) {
  for (int tries = 0; tries < 6 && well(); ++tries) {
    heal_node(stays);
    if (runs_on(stays, vm)) return;
    call(stays, "POST", path(vm) + "/start", Json::object(), !must_work && tries == 0);
    heal_node(stays);
    run_events([&] { return up(stays) && daemon(stays).operations.running() == 0; }, 600s);
    if (runs_on(stays, vm)) return;
    pass(20s);
    if (!must_work) return;
  }
  if (well()) violation(fmt::format("I4: {} cannot be started on {}, although the other node left in order", vm.str(), node_name(stays)));
}

/// It left and is off: whoever stays decides alone without anybody's word, and takes its VMs over when told to.
void LeaveSchedule::the_other_goes_on(std::size_t stays, bool disturbed) {
  heal_node(stays);
  for (const VmName& vm : guests) must_go_on(stays, vm);
  if (!run_events([&] { return acts_alone(stays); }, 120s)) {
    if (well()) violation("I4: the other node left in order, and the one that stays may not decide alone");
    return;
  }
  const Answer changed = call(stays, "PATCH", path(guests[chance().below(2)]), {{"autostart", chance().one_in(2)}}, false);
  if (well() && !changed.ok()) violation("I4: a node that decides alone cannot change the configuration");
  if (well() && chance().one_in(3)) stays_is_booted(stays);
  for (const VmName& vm : guests) {
    if (chance().one_in(3) || !well()) continue;
    ++report_.covered[fmt::format("{} by consent × {}", owner(stays, vm) == stays ? "start" : "takeover", fault_)];
    start_here(stays, vm, !disturbed);
    must_go_on(stays, vm);
  }
}

/// A reboot of the one that stays changes nothing: the other one cannot have come back without it.
void LeaveSchedule::stays_is_booted(std::size_t stays) {
  power_cut(stays);
  heal_node(stays);
  run_events([&] { return up(stays) && daemon(stays).operations.running() == 0; }, 300s);
  pass(30s);
  if (!well()) return;
  if (runs_on(stays, guests[0]) || runs_on(stays, guests[1])) violation("I5: a lone node started a replicated VM by itself");
  if (!run_events([&] { return acts_alone(stays); }, 60s) && well()) violation("I4: after a reboot the consent of the other node does not count any more");
  ++report_.covered["boot of the one that stays × the other one left"];
}

/// The one that left is booted while the other one is off: it opens nothing, whatever is typed.
void LeaveSchedule::leaver_alone(std::size_t leaver) {
  const std::size_t stays = 1 - leaver;
  power_off(stays);
  power_on(leaver);
  heal_node(leaver);
  run_events([&] { return up(leaver) && daemon(leaver).operations.running() == 0; }, 300s);
  pass(20s);
  for (const VmName& vm : guests) {
    if (!well()) return;
    call(leaver, "POST", path(vm) + "/start", Json::object(), false);
    const Json typed = {{"node", node_name(stays)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
    if (call(leaver, "POST", "/v1/cluster/confirm-down", typed, false).ok()) violation("I5: a node that let the other one go on confirmed it down");
    run_events([&] { return daemon(leaver).operations.running() == 0; }, 300s);
    if (well() && (runs_on(leaver, guests[0]) || runs_on(leaver, guests[1]))) violation("I5: a node that left opened a replicated disk before it was back");
  }
  ++report_.covered["boot of the leaver alone × the other one is off"];
  pass(milliseconds(chance().between(0, 10'000)));
  if (well() && chance().one_in(2)) return other_one_lost_for_good(leaver);
  if (well()) power_on(stays);
}

std::uint64_t LeaveSchedule::on_disk(std::size_t node, const VmName& vm, std::uint64_t block) {
  const auto record = state(node).volume(VolumeName::trusted(vm.str() + "-0"));
  return record.ok() ? drbd_->on_disk(node, record->minor, block) : 0;
}

/// A person accepts the copy by name. What the other one has more is another story from here on.
bool LeaveSchedule::accept(std::size_t node, const VmName& vm) {
  const VolumeName volume = VolumeName::trusted(vm.str() + "-0");
  for (int tries = 0; tries < 6 && well(); ++tries) {
    heal_node(node);
    const Answer answer = call(node, "POST", "/v1/cluster/accept-copy", {{"volume", volume.str()}, {"may_be_older", true}}, tries == 0 && chance().one_in(3));
    heal_node(node);
    if (answer.error && answer.error->code() == ErrorCode::not_up_to_date) return false;
    if (daemon(node).authority.standpoint().ledger.accepted(daemon(node).self(), volume)) {
      auto& told = acknowledged_[vm.str()];
      // The other one's copy was set aside when the last writes came: this one has them all, and that one none to keep.
      const authority::Standpoint now = daemon(node).authority.standpoint();
      if (now.consents.stands(now.peer, volume)) {
        for (const auto& [block, value] : told) {
          if (on_disk(node, vm, block) < value) violation(fmt::format("I2: the copy of {} on {} lacks what was written by consent", vm.str(), node_name(node)));
        }
      } else {
        other_lineage_[vm.str()] = told;
        for (auto& [block, value] : told) value = std::min(value, on_disk(node, vm, block));
      }
      accepted_on_[vm.str()] = node;
      return true;
    }
    if (answer.error && answer.error->code() == ErrorCode::already_exists) return true;
    // A power cut meanwhile: the word is of that boot.
    const Json typed = {{"node", node_name(1 - node)}, {"is_powered_off", true}, {"was_let_go_on", true}};
    if (!acts_alone(node)) call(node, "POST", "/v1/cluster/confirm-down", typed, false);
    pass(5s);
  }
  if (well()) violation(fmt::format("I4: the copy of {} on {} cannot be accepted", vm.str(), node_name(node)));
  return false;
}

/// The leaver is all there is. One typed fact makes it decide alone, and opens nothing; each copy is opened by its name.
void LeaveSchedule::other_one_lost_for_good(std::size_t leaver) {
  is_one_left_ = true;
  fault_ = "the other one is lost for good";
  const Json typed = {{"node", node_name(1 - leaver)}, {"is_powered_off", true}, {"was_let_go_on", true}};
  bool decides = false;
  for (int tries = 0; tries < 12 && well() && !decides; ++tries) {
    call(leaver, "POST", "/v1/cluster/confirm-down", typed, tries < 3);
    heal_node(leaver);
    // What was written down before a crash is finished without being asked again.
    decides = run_events([&] { return acts_alone(leaver); }, 10s);
  }
  if (!decides && well()) violation("I4: a node whose partner is lost for good cannot be made to decide alone");
  pass(milliseconds(chance().between(0, 10'000)));
  std::vector<VmName> closed;
  for (const VmName& vm : guests) {
    if (!well()) return;
    const authority::Standpoint now = daemon(leaver).authority.standpoint();
    // Written here alone before it left: nobody else had it whole.
    if (now.ledger.stands(now.self, VolumeName::trusted(vm.str() + "-0"))) continue;
    closed.push_back(vm);
    if (runs_on(leaver, vm)) violation(fmt::format("I5: {} runs on a copy that nobody accepted", vm.str()));
    const Answer started = call(leaver, "POST", path(vm) + "/start", Json::object(), false);
    run_events([&] { return up(leaver) && daemon(leaver).operations.running() == 0; }, 300s);
    if (started.ok() || runs_on(leaver, vm)) violation(fmt::format("I5: {} starts on a copy that nobody accepted", vm.str()));
    // Half a copy is nobody's choice.
    const drbd::ResourceFacts* leg = daemon(leaver).drbd.find(VolumeName::trusted(vm.str() + "-0"));
    if (!authority::may_be_accepted(leg == nullptr ? nullptr : &leg->facts)) continue;
    if (well() && (!started.error || started.error->next().find("accept-copy " + vm.str() + "-0") == std::string::npos)) violation("I4: a closed copy does not name the command that opens it: " + (started.error ? started.error->next() : std::string()));
  }
  const bool removes = chance().one_in(2);
  bool all = true;
  for (const VmName& vm : closed) {
    if (well() && (removes || !chance().one_in(3))) all = accept(leaver, vm) && all;
  }
  if (!well()) return;
  if (chance().one_in(2)) goes_on_alone(leaver);
  if (removes && well()) {
    const bool removed = remove_dead(leaver, "by a leaver");
    if (well() && removed != all) violation(fmt::format("a dead node is {}removed although {} copy was accepted", removed ? "" : "not ", all ? "every" : "not every"));
    if (removed && well()) goes_on_alone(leaver);
    if (removed && well() && chance().one_in(2)) {
      power_cut(leaver);
      heal_node(leaver);
      run_events([&] { return up(leaver) && daemon(leaver).operations.running() == 0; }, 300s);
      pass(10s);
      goes_on_alone(leaver);
    }
    if (well()) power_on(1 - leaver);
    if (removed) return becomes_blank(1 - leaver);
  } else if (well()) {
    power_on(1 - leaver);
  }
  two_histories(leaver);
}

/// Every VM whose copy is open here can be started here, with all it was told on that copy.
void LeaveSchedule::goes_on_alone(std::size_t node) {
  for (const VmName& vm : guests) {
    if (!well() || (!accepted_on_.contains(vm.str()) && state(node).is_cluster())) continue;
    for (int tries = 0; tries < 6 && well() && !runs_on(node, vm); ++tries) {
      const Json typed = {{"node", node_name(1 - node)}, {"is_powered_off", true}, {"was_let_go_on", true}};
      if (state(node).is_cluster() && !acts_alone(node)) call(node, "POST", "/v1/cluster/confirm-down", typed, false);
      call(node, "POST", path(vm) + "/start", Json::object(), false);
      heal_node(node);
      run_events([&] { return up(node) && daemon(node).operations.running() == 0; }, 600s);
      if (!runs_on(node, vm)) pass(5s);
    }
    if (well() && !runs_on(node, vm)) violation(fmt::format("I4: {} does not start on {}, the only node there is", vm.str(), node_name(node)));
    must_go_on(node, vm);
  }
}

bool LeaveSchedule::retry_failed(std::size_t node) {
  bool any = false;
  for (const OperationView& view : daemon(node).operations.list()) {
    if (view.outcome != OperationOutcome::failed) continue;
    const auto retried = start(lives_[node]->clients, daemon(node).operations.retry(view.id));
    run_events([&] { return retried->has_value(); }, 60s);
    any = any || (retried->has_value() && (*retried)->ok());
  }
  return any;
}

/// False where a copy is not fresh here.
bool LeaveSchedule::remove_dead(std::size_t stays, const char* what) {
  for (int tries = 0; tries < 8 && well(); ++tries) {
    heal_node(stays);
    if (!state(stays).is_cluster()) break;
    // A power cut ends the word, not a consent.
    const Json typed = {{"node", node_name(1 - stays)}, {"is_powered_off", true}, {"was_let_go_on", true}};
    if (!acts_alone(stays)) call(stays, "POST", "/v1/cluster/confirm-down", typed, false);
    const Answer answer = call(stays, "POST", "/v1/cluster/remove-node", {{"node", node_name(1 - stays)}, {"dead", true}}, tries == 0 && chance().one_in(2));
    heal_node(stays);
    if (answer.error && answer.error->code() == ErrorCode::not_up_to_date) {
      ++report_.covered[fmt::format("remove --dead {} refused × {}", what, fault_)];
      return false;
    }
    run_events([&] { return up(stays) && daemon(stays).operations.running() == 0; }, 600s);
    if (!state(stays).is_cluster()) break;
    pass(20s);
  }
  // What failed after the commit goes on when a person says so.
  for (int tries = 0; tries < 4 && well() && retry_failed(stays); ++tries) run_events([&] { return up(stays) && daemon(stays).operations.running() == 0; }, 600s);
  const auto done = [&] { return up(stays) && !state(stays).is_cluster() && daemon(stays).operations.running() == 0 && daemon(stays).shared.link().state == LinkState::single; };
  if (!run_events(done, 600s) && well()) violation(fmt::format("I4: a dead node is not removed {}", what));
  ++report_.covered[fmt::format("remove --dead {} × {}", what, fault_)];
  return true;
}

/// It learns that it was removed as soon as it lives, and puts what it had aside.
void LeaveSchedule::becomes_blank(std::size_t node) {
  heal();
  const auto blank = [&] { return up(node) && !daemon(node).departure.is_passive() && daemon(node).shared.link().state == LinkState::single && daemon(node).own_record().ok() && state(node).vms().empty(); };
  if (!run_events(blank, 600s)) {
    if (well()) violation(fmt::format("I4: {} was removed while it was off, and is not blank", node_name(node)));
    return;
  }
  for (const auto& [name, volume] : machines_[node]->lvm.volumes) {
    if (!volume.thin_pool && name.find("/mcvq-") == std::string::npos) violation(fmt::format("{} on {} is not in quarantine", name, node_name(node)));
  }
  pass(10s);
}

/// The node that was believed lost is switched on after all: nothing runs by itself, and what it has is not overwritten.
void LeaveSchedule::two_histories(std::size_t leaver) {
  const std::size_t returned = 1 - leaver;
  heal();
  pass(milliseconds(chance().between(30'000, 120'000)));
  if (!well() || !up(0) || !up(1)) return;
  ++report_.covered[fmt::format("it returns, the nodes are {} × {}", to_text(daemon(leaver).shared.link().state), fault_)];
  for (const auto& [vm, node] : accepted_on_) {
    if (runs_on(returned, VmName::trusted(vm))) violation(fmt::format("I1: {} runs on {} as well", vm, node_name(returned)));
    for (const auto& [block, value] : other_lineage_[vm]) {
      if (on_disk(returned, VmName::trusted(vm), block) >= value) continue;
      return violation(fmt::format("I2: the copy of {} on {} lost what was written there while the other one was away", vm, node_name(returned)));
    }
  }
}

/// Contact is lost somewhere between the boot of the leaver and its last record: at any moment one of the two at most goes on.
void LeaveSchedule::cut_on_the_way_back(std::size_t leaver) {
  std::uint64_t events = chance().below(chance().one_in(2) ? 3000 : 300);
  run_events([&] { return events-- == 0; }, 30s);
  fault_ = "cut on the way back";
  network_.cut = true;
  corosync_.cut();
  drbd_->cut();
  for (const std::size_t node : {leaver, 1 - leaver}) {
    if (!chance().one_in(3)) continue;
    end_daemon(node);
    start_daemon(node);
  }
  pass(milliseconds(chance().between(1000, 10'000)));
  for (const std::size_t node : {leaver, 1 - leaver}) {
    for (const VmName& vm : guests) {
      if (!well()) break;
      const Answer answer = call(node, "POST", path(vm) + "/start", Json::object(), false);
      ++report_.covered[fmt::format("start {} × {}", answer.ok() ? "taken" : "refused", fault_)];
    }
  }
  pass(milliseconds(chance().between(1000, 30'000)));
  network_.cut = false;
  corosync_.heal();
  drbd_->heal();
  heal();
}

void LeaveSchedule::round() {
  const std::size_t leaver = chance().below(2);
  const std::size_t stays = 1 - leaver;
  const bool disturbed = chance().one_in(2);
  fault_ = "orderly";
  const bool left = shut_down(leaver, disturbed);
  if (!well()) return;
  if (machines_[leaver]->powered()) return;
  if (!left) {
    power_on(leaver);
    return;
  }
  if (chance().one_in(4)) {
    pass(milliseconds(chance().between(0, 4000)));
    return leaver_alone(leaver);
  }
  if (!chance().one_in(5)) the_other_goes_on(stays, disturbed);
  if (well() && acts_alone(stays) && chance().one_in(8)) {
    // For good: what left in order does not come back. When it does all the same it is told, and becomes blank.
    is_one_left_ = remove_dead(stays, "of a leaver");
    if (!well()) return;
    if (is_one_left_ && chance().one_in(2)) goes_on_alone(stays);
    if (well()) power_on(leaver);
    if (is_one_left_) becomes_blank(leaver);
    return;
  }
  if (well() && chance().one_in(6)) {
    // The second one of two: there is nobody to tell.
    machines_[stays]->shutting_down = true;
    call(stays, "POST", "/v1/node/leave", Json::object(), false);
    power_off(stays);
    pass(milliseconds(chance().between(0, 5000)));
    if (chance().one_in(2)) power_on(stays);
    ++report_.covered["shutdown of both × one after the other"];
  }
  if (well() && !machines_[stays]->powered()) {
    power_on(leaver);
    power_on(stays);
  } else if (well()) {
    power_on(leaver);
  }
  if (well() && chance().one_in(2)) cut_on_the_way_back(leaver);
}

void LeaveSchedule::check_copies() {
  const auto equal = [&] {
    for (const std::size_t node : both) {
      if (!up(node)) return false;
      for (const SimDrbd::Seen& seen : drbd_->look(node)) {
        if (seen.disk != "UpToDate" || seen.connection != "Connected" || seen.replication != "Established" || seen.held) return false;
      }
      const authority::Standpoint now = daemon(node).authority.standpoint();
      if (!now.ledger.standing(now.self).empty() || !now.ledger.standing(now.peer).empty()) return false;
      if (authority::is_away(now) || !now.own_leave.barred().empty()) return false;
    }
    return drbd_->look(0).size() == guests.size() && drbd_->look(1).size() == guests.size();
  };
  if (run_events(equal, 600s) || !well()) return;
  std::string text;
  for (const std::size_t node : both) {
    for (const SimDrbd::Seen& seen : drbd_->look(node)) text += fmt::format(" {}:{} {} {} {}{}", node_name(node), seen.resource, seen.disk, seen.connection, seen.replication, seen.held ? " held" : "");
    if (!up(node)) continue;
    const authority::Standpoint now = daemon(node).authority.standpoint();
    text += fmt::format(" ({}: {} records stand, away {}, {} barred)", node_name(node), now.ledger.standing(now.self).size(), authority::is_away(now), now.own_leave.barred().size());
  }
  violation("I4: the nodes are not what they were after everything is back:" + text);
}

void LeaveSchedule::come_together() {
  fault_ = "healed";
  for (const std::size_t node : both) {
    machines_[node]->shutting_down = false;
    if (!machines_[node]->powered()) power_on(node);
  }
  heal();
  wait_idle();
  if (well()) check_configuration();
  if (well()) check_copies();
  for (const VmName& vm : guests) {
    if (!well()) return;
    const std::size_t node = owner(0, vm);
    if (runs_on(1 - node, vm)) violation(fmt::format("I1: {} runs on {}, which does not own it", vm.str(), node_name(1 - node)));
    if (!runs_on(node, vm) && !chance().one_in(4)) insist(node, "POST", path(vm) + "/start", Json::object(), "vm start");
    must_go_on(node, vm);
  }
}

ScheduleReport LeaveSchedule::run(std::uint64_t seed) {
  faults_at_events_ = chance().one_in(2);
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  if (well()) create_guests();
  for (std::uint64_t rounds = chance().between(1, 3); rounds > 0 && well(); --rounds) {
    round();
    if (is_one_left_) break;
    if (well()) come_together();
  }
  return finish("leave", seed);
}

}  // namespace

ScheduleReport leave_schedule(std::uint64_t seed, bool print_trace) { return LeaveSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
