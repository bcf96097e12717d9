// SPDX-License-Identifier: Apache-2.0
// VMs are deleted while one node is away, by a person's word; then it comes back, and something happens while it finishes that. What was
// deleted goes, on both; a copy that was written to apart stays until somebody deletes it; nothing else is touched.
#include <fmt/format.h>

#include "cluster/model/pending_delete.h"
#include "world/node_world.h"

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

class LateDeleteSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);

 private:
  static std::string path(const std::string& vm) { return "/v1/vms/" + vm; }
  void create(const std::string& vm, std::size_t owner);
  void delete_alone(std::size_t survivor, const std::string& vm);
  void write_apart(std::size_t node, const std::string& vm);
  bool has_anything(std::size_t node, const std::string& vm);
  std::size_t pending(std::size_t node) { return pending_deletes(daemon(node).shared.current()).size(); }
};

void LateDeleteSchedule::create(const std::string& vm, std::size_t owner) {
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  insist(owner, "POST", "/v1/vms", {{"name", vm}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}}, "vm create");
  if (!well() || chance().one_in(3)) return;
  insist(owner, "POST", path(vm) + "/start", Json::object(), "vm start");
  pass(milliseconds(chance().between(0, 8000)));
  insist(owner, "POST", path(vm) + "/kill", Json::object(), "vm kill");
}

void LateDeleteSchedule::delete_alone(std::size_t survivor, const std::string& vm) {
  const Json typed = {{"node", node_name(1 - survivor)}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
  const auto gone = [&] { return up(survivor) && !daemon(survivor).shared.current().vm(VmName::trusted(vm)).ok() && daemon(survivor).operations.running() == 0; };
  for (int tries = 0; tries < 12 && well() && !gone(); ++tries) {
    heal_node(survivor);
    if (!authority::may_act_alone(daemon(survivor).authority.standpoint())) call(survivor, "POST", "/v1/cluster/confirm-down", typed, false);
    const Answer answer = call(survivor, "DELETE", path(vm), Json(), tries == 0);
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
  delete_alone(survivor, "vm1");
  if (well() && has_anything(survivor, "vm1")) violation("I6: something is left where it was deleted");
  const bool apart = chance().one_in(4);
  if (well() && apart) write_apart(away, "vm1");
  pass(milliseconds(chance().between(0, 20'000)));
  if (well()) power_on(away);
  for (int round = 0; round < 3 && well(); ++round) {
    pass(milliseconds(chance().between(0, 4000)));
    if (up(away) && chance().one_in(2)) maybe_fault();
    keep_alive();
  }
  heal();
  wait_idle();
  const auto settled = [&] { return up(0) && up(1) && pending(0) == (apart ? 1 : 0) && pending(1) == pending(0) && daemon(0).operations.running() + daemon(1).operations.running() == 0; };
  run_events(settled, 600s);
  if (well()) check_configuration();
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
    if (well() && has_anything(node, "vm1")) violation(fmt::format("I6: something of vm1 is left on {}", node_name(node)));
    if (well() && !has_anything(node, "vm2")) violation(fmt::format("vm2 is gone on {}", node_name(node)));
  }
  // The name is free again, and the other one was not touched.
  if (well()) insist(survivor, "DELETE", path("vm2"), Json(), "vm delete");
  if (well()) look_for_orphans();
  ++report_.covered[fmt::format("late delete{} × {}", apart ? ", apart" : "", fault_)];
  return finish("late-delete", seed);
}

}  // namespace

ScheduleReport late_delete_schedule(std::uint64_t seed, bool print_trace) { return LateDeleteSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
