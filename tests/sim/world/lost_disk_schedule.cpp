// SPDX-License-Identifier: Apache-2.0
// DRBD gives a disk up, of either side, and goes on with the other one. Its metadata do not say so, and a reboot attaches it as if
// nothing had been written since. Then the node that has everything dies, somebody says so, truly: nothing may open the copy that was
// left behind, and no acknowledged write is lost.
#include <fmt/format.h>

#include "storage/drbd/resource_file.h"
#include "world/alone_world.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// As the node with that copy has it on its own disk.
bool AloneSchedule::is_left_behind(std::size_t node, const VmName& vm) {
  if (!up(node)) return false;
  const VolumeName disk = VolumeName::trusted(vm.str() + "-0");
  const authority::Standpoint now = daemon(node).authority.standpoint();
  return now.consents.stands(now.self, disk) || now.ledger.stands(now.peer, disk);
}

/// With the daemon there or for a while not: what is acknowledged before anybody could write the loss down is the limit that the
/// failure model names.
void AloneSchedule::lose(std::size_t node, const VmName& vm) {
  const bool was_away = chance().one_in(4);
  const bool is_primary = owner(0, vm) == node;
  fault_ = fmt::format("disk lost {} its guest{}", is_primary ? "under" : "opposite to", was_away ? ", daemon crash" : "");
  if (was_away) end_daemon(node);
  const std::uint32_t minor = state(1 - node).volume(VolumeName::trusted(vm.str() + "-0"))->minor;
  const bool broken = chance().one_in(2);
  const bool lost = run_events([&] { return drbd_->lose_disk(node, minor, broken); }, 60s);
  if (!lost) return;
  pass(milliseconds(chance().between(0, 2000)));
  if (was_away) heal_node(node);
  run_events([&] { return is_left_behind(node, vm); }, 10s);
  if (!is_primary || runs_on(node, vm)) must_go_on(owner(1 - node, vm), vm);
}

/// What a person types who has mended the cause.
void AloneSchedule::attach_all() {
  const auto is_lost = [&](const VmName& vm) {
    for (const std::size_t node : both) {
      for (const SimDrbd::Seen& seen : drbd_->look(node)) {
        if (seen.resource == "mcv-" + vm.str() + "-0" && seen.disk == "Diskless" && seen.connection == "Connected") return true;
      }
    }
    return false;
  };
  for (const std::size_t node : both) drbd_->mend(node);
  const auto together = [&] { return up(0) && up(1) && daemon(0).shared.link().state == LinkState::together && daemon(1).shared.link().state == LinkState::together; };
  run_events(together, 300s);
  for (const VmName& vm : guests) {
    if (!well() || !is_lost(vm)) continue;
    const std::size_t asked = chance().below(2);
    bool attached = false;
    for (int tries = 0; tries < 6 && well() && !attached; ++tries) {
      attached = command(asked, "POST", path(vm) + "/attach", Json::object()) || !is_lost(vm);
      if (!attached) pass(20s);
      heal();
    }
    if (well() && !attached) violation(fmt::format("I4: the lost disk of {} cannot be attached in a healthy world", vm.str()));
    ++report_.covered["drbd attach × " + fault_];
  }
}

/// The node whose copy is behind is the one that is left.
void AloneSchedule::left_behind_is_alone(std::size_t loser, const VmName& vm) {
  const std::size_t holder = 1 - loser;
  const std::uint64_t order = chance().below(3);
  drbd_->mend(loser);
  if (order == 0) {
    // It comes back and is being resynchronised, or not yet.
    power_cut(loser);
    pass(milliseconds(chance().between(0, 3000)));
    power_off(holder);
  } else if (order == 1) {
    power_off(holder);
    power_cut(loser);
  } else {
    power_off(loser);
    pass(milliseconds(chance().between(0, 8000)));
    power_off(holder);
    pass(milliseconds(chance().between(0, 8000)));
    power_on(loser);
  }
  heal_node(loser);
  if (!insist_on_confirming(loser, false)) return;
  for (const VmName& name : guests) {
    if (!well()) return;
    const bool behind = is_left_behind(loser, name);
    if (behind && is_set_aside(loser, name) && chance().one_in(4)) {
      accept_and_start(loser, name);
      continue;
    }
    try_to_start(loser, name, behind ? "on the node whose copy is behind" : "on the node whose copy is whole");
    if (well() && behind && runs_on(loser, name)) violation(fmt::format("I5: {} runs on {}, whose copy was left behind", name.str(), node_name(loser)));
    if (well() && name != vm && !behind && !runs_on(loser, name)) ++report_.covered["another VM stays closed, too × " + fault_];
  }
  pass(milliseconds(chance().between(0, 10'000)));
  if (well()) power_on(holder);
}

/// Then nobody has the data for a while, and the copy that is behind must not pass for it.
void AloneSchedule::newest_loses_its_disk_too(std::size_t loser, const VmName& vm) {
  const std::size_t holder = 1 - loser;
  for (const std::size_t node : both) {
    if (runs_on(node, vm)) insist(node, "POST", path(vm) + "/kill", Json::object(), "vm kill");
  }
  const std::uint32_t minor = state(holder).volume(VolumeName::trusted(vm.str() + "-0"))->minor;
  if (!well() || !run_events([&] { return drbd_->lose_disk(holder, minor, true); }, 60s)) return;
  fault_ += ", then the other one";
  drbd_->mend(loser);
  if (chance().one_in(2)) {
    power_cut(loser);
    heal_node(loser);
  } else {
    const auto resource = drbd::resource_name(VolumeName::trusted(vm.str() + "-0"));
    drbd_->run(loser, {"drbdadm", "--config-file", drbd::resource_file_path(VolumeName::trusted(vm.str() + "-0")), "attach", resource});
  }
  pass(milliseconds(chance().between(1000, 20'000)));
  const std::size_t asked = owner(holder, vm);
  try_to_start(asked, vm, "while the newest copy has no disk");
  if (well() && runs_on(asked, vm)) violation(fmt::format("I5: {} runs while the newest copy of its disk is detached", vm.str()));
}

void AloneSchedule::disk_lost() {
  const std::size_t loser = chance().below(2);
  const VmName& vm = guests[chance().below(2)];
  lose(loser, vm);
  if (!well()) return;
  pass(milliseconds(chance().between(0, 5000)));
  switch (chance().below(8)) {
    case 0:
      // Nothing else.
      ++report_.covered["nothing else × " + fault_];
      break;
    case 1:
      fault_ += ", then the replication link";
      drbd_->cut();
      pass(4s);
      if (owner(1 - loser, vm) != loser) must_go_on(1 - loser, vm);
      drbd_->heal();
      break;
    case 2: newest_loses_its_disk_too(loser, vm); break;
    case 3:
      fault_ += ", then a power cut";
      power_cut(chance().below(2));
      break;
    default: left_behind_is_alone(loser, vm); break;
  }
}

ScheduleReport AloneSchedule::run_lost_disk(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  if (well()) create_guests();
  for (std::uint64_t round = chance().between(1, 3); round > 0 && well(); --round) {
    disk_lost();
    heal();
    // A node that was lost is there again before a person mends what is left.
    pass(10s);
    attach_all();
    if (!one_copy_is_left()) break;
    attach_all();
    if (well()) come_together();
  }
  return finish("lost-disk", seed);
}

ScheduleReport lost_disk_schedule(std::uint64_t seed, bool print_trace) { return AloneSchedule(seed, print_trace).run_lost_disk(seed); }

}  // namespace mcv::sim
