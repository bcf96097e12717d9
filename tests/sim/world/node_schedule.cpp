// SPDX-License-Identifier: Apache-2.0
// VMs of a healthy pair: created, started, moved, compared, stopped and killed while things fail.
#include <fmt/format.h>

#include "world/node_world.h"

namespace mcv::sim {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

class NodeSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);
};

ScheduleReport NodeSchedule::run(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  const std::uint64_t vms = chance().between(1, 2);
  for (std::uint64_t i = 1; i <= vms && well(); ++i) {
    const std::string vm = fmt::format("vm{}", i);
    const std::string path = "/v1/vms/" + vm;
    const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
    const Json disk = {{"size", std::uint64_t{64} << 20}};
    const Json create = {{"name", vm}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}};
    command(chance().below(2), "POST", "/v1/vms", create, true);
    wait_idle();
    if (!well()) break;
    if (!daemon(0).shared.current().vm(VmName::trusted(vm)).ok()) {
      // Undone: nothing may be left, and it must be possible now.
      check_configuration();
      if (i == 1) look_for_orphans();
      if (well()) insist(0, "POST", "/v1/vms", create, "vm create");
    }
    for (std::uint64_t round = chance().between(2, 5); round > 0 && well(); --round) {
      const std::size_t entry = chance().below(2);
      switch (chance().below(5)) {
        case 0: command(entry, "POST", path + "/start", Json::object(), true); break;
        case 1: command(entry, "POST", path + "/stop", {{"timeout_seconds", 30}}, true); break;
        case 2:
          command(entry, "POST", path + "/migrate", {{"node", node_name(chance().below(2))}, {"wait_for_shutdown", true}, {"timeout_seconds", 60}, {"start_after_migration", true}}, true);
          break;
        case 3: command(entry, "POST", "/v1/verify", {{"all", true}}, true); break;
        case 4: command(entry, "POST", path + "/kill", Json::object(), true); break;
      }
      heal();
      wait_idle();
      pass(milliseconds(chance().below(30'000)));
    }
  }
  fault_ = "healed";
  if (well()) {
    heal();
    wait_idle();
    check_configuration();
  }
  for (std::uint64_t i = 1; i <= vms && well(); ++i) {
    const std::string path = fmt::format("/v1/vms/vm{}", i);
    if (!daemon(0).shared.current().vm(VmName::trusted(fmt::format("vm{}", i))).ok()) continue;
    command(0, "POST", path + "/kill", Json::object());
    if (insist(0, "DELETE", path, Json(), "vm delete")) acknowledged_.erase(fmt::format("vm{}", i));
  }
  if (well()) {
    wait_idle();
    pass(10s);
    check_configuration();
    look_for_orphans();
  }
  return finish("node", seed);
}

}  // namespace

ScheduleReport node_schedule(std::uint64_t seed, bool print_trace) { return NodeSchedule(seed, print_trace).run(seed); }

}  // namespace mcv::sim
