// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <utility>

#include "world/node_world.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t day = 86'400;

}  // namespace

void NodeWorld::rough_fault(std::size_t node, bool one_is_off) {
  switch (chance().below(8)) {
    case 0:
      if (one_is_off) return;
      // The daemons' link alone: corosync has another path, or has not noticed.
      begin_fault("peer link one-way", node);
      network_.mute = node_address(node);
      return;
    case 1:
      if (one_is_off) return;
      // Totem needs both directions: one that is lost breaks the ring like a cut.
      begin_fault("cluster link one-way", node);
      network_.mute = node_address(node);
      corosync_.cut();
      pass(milliseconds(chance().between(100, 10'000)));
      network_.mute.clear();
      corosync_.heal();
      return;
    case 2:
      begin_fault("late requests", node);
      network_.late_percent = 20;
      network_.slowest_ms = 3000;
      return;
    case 3: {
      begin_fault("clock step", node);
      const std::int64_t step = static_cast<std::int64_t>(chance().between(1, 400)) * day * (chance().one_in(2) ? 1 : -1);
      disks_[node].wall_offset_seconds += step;
      if (up(node)) lives_[node]->parts.clock.step_wall(step);
      return;
    }
    case 4:
      begin_fault("fsync fails", node);
      disks_[node].store.io_error_percent = 20;
      return;
    case 5:
      begin_fault("tools slow", node);
      tool_faults_.slowest_ms = 8000;
      return;
    case 6:
      begin_fault("corosync killed", node);
      corosync_.stop(node);
      pass(milliseconds(chance().between(100, 5000)));
      if (machines_[node]->powered() && disks_[node].files.there("/etc/corosync/corosync.conf")) corosync_.start(node);
      return;
    default:
      if (one_is_off) return;
      begin_fault("helpers killed, replication link cut", node);
      helpers_lost_ = true;
      drbd_->cut();
      pass(milliseconds(chance().between(1000, 15'000)));
      helpers_lost_ = false;
      drbd_->heal();
      return;
  }
}

void NodeWorld::end_rough_faults() {
  network_.mute.clear();
  network_.late_percent = 0;
  network_.slowest_ms = SimPeerWorld::usual_ms;
  tool_faults_.slowest_ms = ToolFaults::usual_ms;
  for (const std::size_t node : both) {
    disks_[node].store.io_error_percent = 0;
    // The time service sets it right: one more step.
    const std::int64_t offset = std::exchange(disks_[node].wall_offset_seconds, 0);
    if (up(node)) lives_[node]->parts.clock.step_wall(-offset);
  }
}

}  // namespace mcv::sim
