// SPDX-License-Identifier: Apache-2.0
// One node loses the other, and an operator says so, rightly or wrongly: held writes go on, VMs are taken over, nodes come
// back. Nothing runs twice, no acknowledged write is lost, and both end with one configuration and equal disks.
#include <fmt/format.h>

#include "world/alone_world.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::uint64_t AloneSchedule::highest(const VmName& vm) {
  std::uint64_t value = 0;
  for (const auto& [block, written] : acknowledged_[vm.str()]) value = std::max(value, written);
  return value;
}

void AloneSchedule::create_guests() {
  for (const std::size_t node : both) {
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json disk = {{"size", std::uint64_t{64} << 20}};
    const Json create = {{"name", guests[node].str()}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
    if (well()) insist(node, "POST", "/v1/vms", create, "vm create");
    if (well() && !chance().one_in(4)) insist(node, "POST", path(guests[node]) + "/start", Json::object(), "vm start");
  }
  pass(milliseconds(chance().between(3000, 20'000)));
}

NodeWorld::Answer AloneSchedule::confirm(std::size_t survivor, bool with_faults) {
  const Json typed = {{"node", node_name(1 - survivor)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
  return call(survivor, "POST", "/v1/cluster/confirm-down", typed, with_faults);
}

/// The loss is noticed within seconds; until then, and while the daemon is away, the operator types it again.
bool AloneSchedule::insist_on_confirming(std::size_t survivor, bool with_faults) {
  for (int tries = 0; tries < 12 && well(); ++tries) {
    const Answer answer = confirm(survivor, with_faults && tries < 3);
    if (answer.ok() || (answer.error && answer.error->code() == ErrorCode::authority_taken)) {
      heal_node(survivor);
      // The daemon that was asked may be gone, and with it what it had not written down.
      if (authority::may_act_alone(daemon(survivor).authority.standpoint())) return true;
    }
    heal_node(survivor);
    pass(5s);
  }
  if (well()) violation("I4: a node that is really down cannot be confirmed down");
  return false;
}

void AloneSchedule::must_go_on(std::size_t node, const VmName& vm) {
  if (!well() || !runs_on(node, vm)) return;
  const std::uint64_t before = highest(vm);
  if (!run_events([&] { return highest(vm) > before + 1; }, 120s) && well()) violation(fmt::format("I4: {} does not write on {} although nothing is in its way", vm.str(), node_name(node)));
}

void AloneSchedule::start_here(std::size_t node, const VmName& vm, bool with_faults) {
  for (int tries = 0; tries < 8 && well(); ++tries) {
    if (!up(node)) heal_node(node);
    if (runs_on(node, vm)) return;
    // A fault may have booted this node: then the word is asked for again.
    if (!authority::may_act_alone(daemon(node).authority.standpoint()) && !insist_on_confirming(node, false)) return;
    const Answer answer = call(node, "POST", path(vm) + "/start", Json::object(), with_faults && tries == 0);
    heal_node(node);
    const auto idle = [&] { return up(node) && daemon(node).operations.running() == 0; };
    run_events(idle, 600s);
    if (runs_on(node, vm)) return;
    pass(15s);  // in sum longer than a tool that hangs is waited for
  }
  if (well()) violation(fmt::format("I4: {} cannot be started on {}, which decides alone", vm.str(), node_name(node)));
}

/// The survivor is booted while the other one is off: nothing replicated starts by itself, and what is typed is refused
/// until the two facts were typed once more.
void AloneSchedule::lone_boot(std::size_t survivor) {
  power_off(survivor);
  pass(milliseconds(chance().between(500, 10'000)));
  power_on(survivor);
  heal_node(survivor);
  run_events([&] { return up(survivor) && daemon(survivor).operations.running() == 0; }, 300s);
  pass(30s);
  if (!well()) return;
  if (runs_at_all(survivor)) violation("I5: a lone node started a replicated VM by itself");
  const Answer refused = call(survivor, "POST", path(guests[chance().below(2)]) + "/start", Json::object(), false);
  pass(30s);
  if (well() && runs_at_all(survivor)) violation(fmt::format("I5: a lone node started a replicated VM before anybody said that the other one is off ({})", refused.ok()));
  insist_on_confirming(survivor, false);
}

void AloneSchedule::truly_down() {
  const std::size_t victim = chance().below(2);
  const std::size_t survivor = 1 - victim;
  fault_ = "peer powered off";
  power_off(victim);
  const bool faults = chance().one_in(2);
  if (!insist_on_confirming(survivor, faults)) return;
  for (const VmName& vm : guests) must_go_on(survivor, vm);
  for (const VmName& vm : guests) {
    if (chance().one_in(3) || !well()) continue;
    const char* what = owner(survivor, vm) == survivor ? "start" : "takeover";
    start_here(survivor, vm, faults);
    must_go_on(survivor, vm);
    ++report_.covered[fmt::format("{} on the survivor × {}", what, fault_)];
  }
  if (well() && chance().one_in(3)) {
    lone_boot(survivor);
    ++report_.covered["lone boot × peer powered off"];
    if (well() && chance().one_in(2)) start_here(survivor, guests[victim], false);
  }
  pass(milliseconds(chance().between(0, 20'000)));
  if (well()) power_on(victim);
  if (well() && chance().one_in(3)) return survivor_is_lost(survivor);
  if (well() && chance().one_in(3)) {
    // Lost again before both copies are equal: what this node wrote alone is still the newest.
    pass(milliseconds(chance().between(0, 6000)));
    power_off(victim);
    ++report_.covered["lost again while it comes back × peer powered off"];
    if (well()) insist_on_confirming(survivor, false);
    for (const VmName& vm : guests) must_go_on(survivor, vm);
    if (well()) power_on(victim);
  }
}

/// Who went on alone is lost while the other one is being resynchronised. The facts are typed there, and true; they say
/// nothing of what had not arrived yet: what was acknowledged meanwhile must be there in whatever starts.
void AloneSchedule::survivor_is_lost(std::size_t survivor) {
  const std::size_t returned = 1 - survivor;
  heal_node(returned);
  const auto heard = [&] { return up(returned) && daemon(returned).shared.link().state == LinkState::together; };
  // Without contact the second fact would be false.
  if (!run_events(heard, 120s) || !well()) return;
  pass(milliseconds(chance().between(0, 3000)));
  power_off(survivor);
  if (!insist_on_confirming(returned, false)) return;
  for (const VmName& vm : guests) {
    const Answer answer = call(returned, "POST", path(vm) + "/start", Json::object(), false);
    run_events([&] { return up(returned) && daemon(returned).operations.running() == 0; }, 300s);
    ++report_.covered[fmt::format("start {} on the returned node × it is lost while it sends", runs_on(returned, vm) ? "works" : answer.ok() ? "fails" : "is refused")];
    must_go_on(returned, vm);
  }
  pass(milliseconds(chance().between(0, 10'000)));
  if (well()) power_on(survivor);
}

/// The other node lives, and one path at least shows it.
void AloneSchedule::wrongly_typed() {
  const std::size_t survivor = chance().below(2);
  const std::size_t other = 1 - survivor;
  const std::uint64_t kind = chance().below(4);
  static constexpr std::array<const char*, 4> names = {"cluster link cut", "replication link cut", "daemon dead", "corosync dead"};
  fault_ = names[kind];
  switch (kind) {
    case 0:
      network_.cut = true;
      corosync_.cut();
      break;
    case 1: drbd_->cut(); break;
    case 2: end_daemon(other); break;
    case 3: corosync_.stop(other); break;
  }
  for (int tries = 0; tries < 3 && well(); ++tries) {
    pass(milliseconds(chance().between(0, 8000)));
    const Answer answer = confirm(survivor, false);
    if (answer.ok()) violation(fmt::format("I1: a node that lives was confirmed down ({})", names[kind]));
    ++report_.covered[fmt::format("confirm-down {} × {}", answer.error ? to_text(answer.error->code()) : "?", names[kind])];
  }
  network_.cut = false;
  corosync_.heal();
  drbd_->heal();
  if (kind == 3) corosync_.start(other);
  heal();
}

/// The other node lives, and no path shows it. One false statement: still nobody else can write, and what it took nobody was
/// told is written. When the nodes meet, the other one gives up what was taken over from it.
void AloneSchedule::wrongly_believed() {
  const std::size_t survivor = chance().below(2);
  const std::size_t other = 1 - survivor;
  fault_ = "everything cut";
  false_word_ = true;
  network_.cut = true;
  corosync_.cut();
  drbd_->cut();
  pass(milliseconds(chance().between(2500, 10'000)));
  if (!insist_on_confirming(survivor, false)) return;
  for (const VmName& vm : guests) {
    if (!well() || chance().one_in(4)) continue;
    if (is_set_aside(survivor, vm)) {
      try_to_start(survivor, vm, "on the node that set its copy aside");
      continue;
    }
    const bool was_running = runs_on(other, vm);
    start_here(survivor, vm, false);
    must_go_on(survivor, vm);
    ++report_.covered[fmt::format("takeover from a living node, its guest {} × {}", was_running ? "running" : "stopped", fault_)];
  }
  // The other side is asked as well, and knows nothing yet.
  if (well()) call(other, "POST", path(guests[chance().below(2)]) + "/start", Json::object(), false);
  pass(milliseconds(chance().between(0, 20'000)));
  network_.cut = false;
  corosync_.heal();
  drbd_->heal();
  const auto given_up = [&] {
    if (!resets_.empty() || !up(0) || !up(1)) return true;
    for (const VmName& vm : guests) {
      if (daemon(other).shared.link().state != LinkState::together || owner(other, vm) == other) continue;
      for (const auto& [unit, vmm] : machines_[other]->vmms) {
        if (vmm->vm == vm.str()) return false;
      }
    }
    return daemon(other).shared.link().state == LinkState::together;
  };
  for (int tries = 0; tries < 3 && well(); ++tries) {
    if (!run_events(given_up, 400s) && well()) violation("I1: a node does not give up what was taken over from it");
    if (!resets_.empty()) ++report_.covered["reset to end a held VMM × everything cut"];
    heal();
  }
  false_word_ = false;
}

void AloneSchedule::check_copies() {
  const auto equal = [&] {
    for (const std::size_t node : both) {
      for (const SimDrbd::Seen& seen : drbd_->look(node)) {
        if (seen.disk != "UpToDate" || seen.connection != "Connected" || seen.replication != "Established" || seen.held) return false;
      }
      if (!up(node)) return false;
      const authority::Standpoint now = daemon(node).authority.standpoint();
      if (!now.ledger.standing(now.self).empty() || !now.ledger.standing(now.peer).empty()) return false;
      if (!now.consents.standing(now.self).empty() || !now.consents.standing(now.peer).empty()) return false;
    }
    return drbd_->look(0).size() == guests.size() && drbd_->look(1).size() == guests.size();
  };
  if (run_events(equal, 600s) || !well()) return;
  std::string seen_text;
  for (const std::size_t node : both) {
    for (const SimDrbd::Seen& seen : drbd_->look(node)) seen_text += fmt::format(" {}:{} {} {} {}{}", node_name(node), seen.resource, seen.disk, seen.connection, seen.replication, seen.held ? " held" : "");
    if (!up(node)) continue;
    const authority::Standpoint now = daemon(node).authority.standpoint();
    seen_text += fmt::format(" ({} + {} records stand, {} + {} consents)", now.ledger.standing(now.self).size(), now.ledger.standing(now.peer).size(), now.consents.standing(now.self).size(), now.consents.standing(now.peer).size());
    for (const auto& [name, facts] : daemon(node).drbd.volumes()) seen_text += fmt::format(" [mcvd: {} {} {} {}]", name, to_text(facts.connection), to_text(facts.disk), to_text(facts.peer_disk));
  }
  violation("I4: the copies do not become equal after everything is back:" + seen_text);
}

void AloneSchedule::come_together() {
  fault_ = "healed";
  heal();
  wait_idle();
  if (well()) check_configuration();
  if (well()) check_copies();
  for (const VmName& vm : guests) {
    if (!well()) return;
    const std::size_t node = owner(0, vm);
    if (runs_on(1 - node, vm)) violation(fmt::format("I1: {} runs on {}, which does not own it", vm.str(), node_name(1 - node)));
    if (!runs_on(node, vm) && chance().one_in(2)) insist(node, "POST", path(vm) + "/start", Json::object(), "vm start");
    must_go_on(node, vm);
  }
}

ScheduleReport AloneSchedule::run(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  if (well()) create_guests();
  for (std::uint64_t round = chance().between(1, 3); round > 0 && well(); --round) {
    switch (chance().below(7)) {
      case 0:
      case 1: wrongly_typed(); break;
      case 2: wrongly_believed(); break;
      case 3: copies_lost(); break;
      default: truly_down(); break;
    }
    if (!one_copy_is_left()) break;
    if (well()) come_together();
  }
  return finish("alone", seed);
}

ScheduleReport alone_schedule(std::uint64_t seed, bool print_trace) { return AloneSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
