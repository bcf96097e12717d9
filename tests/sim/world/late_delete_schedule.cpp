// SPDX-License-Identifier: Apache-2.0
// VMs are deleted while one node is away, by a person's word; then it comes back, and something happens while it finishes that. What was
// deleted goes, on both; a copy that was written to apart stays until somebody deletes it; nothing else is touched, and what is made
// meanwhile gets neither its name nor its numbers. Even seeds draw what happens; odd ones count through one blow at each moment of each
// step, first of the deletion and then of what finishes it.
#include <array>
#include <fmt/format.h>
#include <optional>

#include "cluster/model/pending_delete.h"
#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

enum class Moment { begins, runs, ended };
enum class Blow { daemon_crash, power_cut, tools_fail, tools_hang };
constexpr std::array<const char*, 3> moment_names = {"as it begins", "while it runs", "when it has ended"};
constexpr std::array<const char*, 4> blow_names = {"daemon crash", "power cut", "tools fail", "tools hang"};

struct Strike {
  bool is_late = false;  ///< at what the node that was away does; else at the deletion
  std::size_t step = 0;
  Moment moment = Moment::begins;
  Blow blow = Blow::daemon_crash;
  bool on_survivor = true;
};

constexpr std::uint64_t delete_steps = 5;  ///< record, the volume, taps, guest, record
constexpr std::uint64_t late_steps = 3;
constexpr std::uint64_t delete_cases = delete_steps * 3 * 4;
constexpr std::uint64_t late_cases = late_steps * 3 * 4 * 2;

Strike strike_of(std::uint64_t number) {
  number %= delete_cases + late_cases;
  Strike strike;
  strike.is_late = number >= delete_cases;
  if (strike.is_late) number -= delete_cases;
  const std::uint64_t steps = strike.is_late ? late_steps : delete_steps;
  strike.step = number % steps;
  number /= steps;
  strike.moment = static_cast<Moment>(number % 3);
  number /= 3;
  strike.blow = static_cast<Blow>(number % 4);
  number /= 4;
  strike.on_survivor = !strike.is_late || number == 1;
  return strike;
}

class LateDeleteSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);

 private:
  static Json one_vm(const std::string& vm);
  bool knows(std::size_t node, const std::string& vm) { return up(node) && daemon(node).shared.current().vm(VmName::trusted(vm)).ok(); }
  std::optional<OperationView> latest(std::size_t node, const std::string& kind);
  void hit(const Strike& strike, std::size_t coordinator, const std::string& kind, std::size_t victim);
  void others_meanwhile(std::size_t survivor, bool apart);
  static std::string path(const std::string& vm) { return "/v1/vms/" + vm; }
  void create(const std::string& vm, std::size_t owner);
  void delete_alone(std::size_t survivor, const std::string& vm, bool with_faults);
  void write_apart(std::size_t node, const std::string& vm);
  bool has_anything(std::size_t node, const std::string& vm);
  std::size_t pending(std::size_t node) { return pending_deletes(daemon(node).shared.current()).size(); }
};

Json LateDeleteSchedule::one_vm(const std::string& vm) {
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  return {{"name", vm}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
}

std::optional<OperationView> LateDeleteSchedule::latest(std::size_t node, const std::string& kind) {
  std::optional<OperationView> found;
  for (OperationView& view : up(node) ? daemon(node).operations.list() : std::vector<OperationView>()) {
    if (view.kind == kind && (!found || view.id.str().size() > found->id.str().size() || (view.id.str().size() == found->id.str().size() && view.id.str() > found->id.str()))) found = std::move(view);
  }
  return found;
}

/// At that moment of that step of the operation, if it comes to it.
void LateDeleteSchedule::hit(const Strike& strike, std::size_t coordinator, const std::string& kind, std::size_t victim) {
  const auto state = [&]() -> std::optional<StepState> {
    const auto now = latest(coordinator, kind);
    if (!now || strike.step >= now->steps.size()) return std::nullopt;
    return now->steps[strike.step].state;
  };
  const auto reached = [&] {
    const auto now = state();
    if (!now) return false;
    return strike.moment == Moment::ended ? *now == StepState::done : *now == StepState::running || *now == StepState::done;
  };
  run_events(reached, 200s);
  if (!reached() || !well()) return;
  if (strike.moment == Moment::runs) {
    std::uint64_t events = chance().between(1, 60);
    run_events([&] { return events-- == 0; }, 5s);
  }
  fault_ = fmt::format("{} {}", blow_names[static_cast<std::size_t>(strike.blow)], moment_names[static_cast<std::size_t>(strike.moment)]);
  scheduler_.say(fmt::format("BLOW {} at step {} of {} ({})", fault_, strike.step, kind, node_name(victim)));
  ++report_.covered[fmt::format("{}: step {} × {}, {}", kind, strike.step, fault_, victim == coordinator ? "coordinator" : "other node")];
  switch (strike.blow) {
    case Blow::daemon_crash:
      if (!up(victim)) return;
      end_daemon(victim);
      pass(milliseconds(chance().below(4000)));
      return start_daemon(victim);
    case Blow::power_cut: return power_cut(victim);
    case Blow::tools_fail: tool_faults_.fail_percent = 100; break;
    case Blow::tools_hang: tool_faults_.hang_percent = 100; break;
  }
  run_events([&] {
    const auto now = state();
    return !now || *now != StepState::running;
  }, 120s);
  end_faults();
}

void LateDeleteSchedule::create(const std::string& vm, std::size_t owner) {
  insist(owner, "POST", "/v1/vms", one_vm(vm), "vm create");
  if (!well() || chance().one_in(3)) return;
  insist(owner, "POST", path(vm) + "/start", Json::object(), "vm start");
  pass(milliseconds(chance().between(0, 8000)));
  insist(owner, "POST", path(vm) + "/kill", Json::object(), "vm kill");
}

void LateDeleteSchedule::delete_alone(std::size_t survivor, const std::string& vm, bool with_faults) {
  const Json typed = {{"node", node_name(1 - survivor)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
  const auto gone = [&] { return up(survivor) && !daemon(survivor).shared.current().vm(VmName::trusted(vm)).ok() && daemon(survivor).operations.running() == 0; };
  for (int tries = 0; tries < 12 && well() && !gone(); ++tries) {
    heal_node(survivor);
    if (!authority::may_act_alone(daemon(survivor).authority.standpoint())) call(survivor, "POST", "/v1/cluster/confirm-down", typed, false);
    const Answer answer = call(survivor, "DELETE", path(vm), Json(), with_faults && tries == 0);
    heal_node(survivor);
    run_events(gone, answer.ok() ? 120s : 10s);
    for (const OperationView& view : up(survivor) ? daemon(survivor).operations.list() : std::vector<OperationView>()) {
      if (view.outcome != OperationOutcome::failed) continue;
      const auto retried = start(lives_[survivor]->clients, daemon(survivor).operations.retry(view.id));
      run_events([&] { return retried->has_value(); }, 60s);
    }
  }
  if (well() && !gone()) violation(fmt::format("I4: {} cannot be deleted on {}, which decides alone", vm, node_name(survivor)));
}

/// Nothing stands in the way of a new VM but the name, where the old copy is kept.
void LateDeleteSchedule::others_meanwhile(std::size_t survivor, bool apart) {
  if (well() && !knows(survivor, "vm3")) create("vm3", survivor);
  if (!well()) return;
  if (!apart) {
    // What a guest of that name was told belonged to disks that were deleted.
    acknowledged_.erase("vm1");
    return create("vm1", survivor);
  }
  const Answer taken = call(survivor, "POST", "/v1/vms", one_vm("vm1"), false);
  if (!taken.error || taken.error->code() != ErrorCode::in_use) violation("the name of a disk that is kept is used again");
}

/// As if that node had gone on with it after all.
void LateDeleteSchedule::write_apart(std::size_t node, const std::string& vm) {
  auto& meta = machines_[node]->lvm.volumes.at("vg0/mcv-" + vm + "-0.md").meta;
  meta->bitmap = meta->current;
  meta->current = 0xABCD00;
  machines_[node]->lvm.volumes.at("vg0/mcv-" + vm + "-0").blocks[40] = 4711;
}

bool LateDeleteSchedule::has_anything(std::size_t node, const std::string& vm) {
  const std::string resource = "mcv-" + vm + "-0";
  for (const SimDrbd::Seen& seen : drbd_->look(node)) {
    if (seen.resource == resource) return true;
  }
  const auto& volumes = machines_[node]->lvm.volumes;
  return volumes.contains("vg0/" + resource) || volumes.contains("vg0/" + resource + ".md") || disks_[node].files.there("/etc/drbd.d/" + resource + ".res");
}

ScheduleReport LateDeleteSchedule::run(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  const std::size_t away = chance().below(2);
  const std::size_t survivor = 1 - away;
  for (const char* vm : {"vm1", "vm2"}) {
    if (well()) create(vm, chance().below(2));
  }
  pass(5s);
  if (!well()) return finish("late-delete", seed);
  fault_ = "peer away";
  power_off(away);
  const bool is_counted = seed % 2 == 1;
  const Strike strike = strike_of(seed / 2);
  if (is_counted && !strike.is_late) {
    const Json typed = {{"node", node_name(away)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
    pass(30s);
    call(survivor, "POST", "/v1/cluster/confirm-down", typed, false);
    call(survivor, "DELETE", path("vm1"), Json(), false);
    hit(strike, survivor, "vm-delete", survivor);
  }
  delete_alone(survivor, "vm1", !is_counted);
  if (well() && has_anything(survivor, "vm1")) violation("I6: something is left where it was deleted");
  const bool apart = chance().one_in(4);
  if (well() && apart) write_apart(away, "vm1");
  pass(milliseconds(chance().between(0, 20'000)));
  if (well()) power_on(away);
  if (is_counted && strike.is_late) hit(strike, away, "late-delete", strike.on_survivor ? survivor : away);
  for (int round = 0; round < 3 && well() && !is_counted; ++round) {
    pass(milliseconds(chance().between(0, 4000)));
    // Whatever comes of it: it harms neither itself nor what is removed.
    if (up(0) && up(1) && !knows(survivor, "vm3") && chance().one_in(3)) command(survivor, "POST", "/v1/vms", one_vm("vm3"));
    if (up(away) && chance().one_in(2)) maybe_fault();
    keep_alive();
  }
  heal();
  wait_idle();
  const auto settled = [&] { return up(0) && up(1) && pending(0) == (apart ? 1 : 0) && pending(1) == pending(0) && daemon(0).operations.running() + daemon(1).operations.running() == 0; };
  run_events(settled, 600s);
  if (well()) check_configuration();
  if (well() && settled()) others_meanwhile(survivor, apart);
  if (well() && apart) {
    pass(120s);
    const auto& blocks = machines_[away]->lvm.volumes["vg0/mcv-vm1-0"].blocks;
    if (!blocks.contains(40)) violation("I2: a copy that was written to apart was removed by itself");
    ++report_.covered["kept: written to apart"];
    insist(survivor, "DELETE", fmt::format("/v1/orphans/{}/mcv-vm1-0", node_name(away)), Json(), "storage delete-orphan");
    const auto forgotten = [&] { return up(0) && up(1) && pending(0) == 0 && pending(1) == 0; };
    run_events(forgotten, 300s);
  }
  if (well() && (pending(0) != 0 || pending(1) != 0)) violation("I6: what was deleted while a node was away is still pending");
  for (const std::size_t node : both) {
    if (well() && has_anything(node, "vm1") == apart) violation(fmt::format("I6: {} vm1 on {}", apart ? "something is left of" : "not all is there of the new", node_name(node)));
    for (const char* vm : {"vm2", "vm3"}) {
      if (well() && !has_anything(node, vm)) violation(fmt::format("{} is gone on {}", vm, node_name(node)));
    }
  }
  // The name is free again, and the others were not touched.
  for (const char* vm : {"vm1", "vm2", "vm3"}) {
    if (well() && knows(survivor, vm)) insist(survivor, "DELETE", path(vm), Json(), "vm delete");
  }
  if (well()) look_for_orphans();
  ++report_.covered[fmt::format("late delete{} × {}", apart ? ", apart" : "", fault_)];
  return finish("late-delete", seed);
}

}  // namespace

ScheduleReport late_delete_schedule(std::uint64_t seed, bool print_trace) { return LateDeleteSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
