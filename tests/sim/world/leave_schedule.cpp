// SPDX-License-Identifier: Apache-2.0
// Machines are rebooted and powered off in order, with faults in the middle of that and on the way back. The node that stays
// writes on and may decide alone; the one that left opens nothing before it is back; nothing runs twice or loses a write.
#include <algorithm>
#include <fmt/format.h>

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
  void cut_on_the_way_back(std::size_t leaver);
  void round();
  void come_together();
  void check_copies();
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
    pass(5s);
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
  if (well()) power_on(stays);
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
    if (well()) come_together();
  }
  return finish("leave", seed);
}

}  // namespace

ScheduleReport leave_schedule(std::uint64_t seed, bool print_trace) { return LeaveSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
