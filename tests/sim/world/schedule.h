// SPDX-License-Identifier: Apache-2.0
// One schedule: both sides from their start, operations, faults, and then a heal after which everything must be well.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mcv::sim {

struct ScheduleReport {
  std::uint64_t seed = 0;
  std::string kind;
  std::vector<std::string> violations;     ///< empty: passed
  std::uint64_t events = 0;                ///< scheduler steps
  std::map<std::string, std::uint64_t> covered;  ///< "step × fault" -> times
  std::vector<std::string> trace;          ///< the last lines
  std::uint64_t trace_hash = 0;
};

using Schedule = std::function<ScheduleReport(std::uint64_t seed, bool print_trace)>;

/// Two SharedState over the corosync model: changes from both sides, cuts, crashes, full disks, failed fsyncs, authority.
ScheduleReport state_schedule(std::uint64_t seed, bool print_trace);
/// Operations over LocalSteps on both sides.
ScheduleReport plan_schedule(std::uint64_t seed, bool print_trace);
/// Two whole nodes on the machine models, set up in peace: VMs are created, started, moved, verified, stopped and killed.
ScheduleReport node_schedule(std::uint64_t seed, bool print_trace);
/// The same from two bare machines, faults in every command: init, addresses, join, pool, replication, network, VM, start,
/// migrate, stop, verify, and the way back.
ScheduleReport main_job_schedule(std::uint64_t seed, bool print_trace);
/// The same, and besides: one-way links, requests that come late or twice, steps of the clock, fsyncs that fail, slow tools, corosync
/// and the kernel's helper killed.
ScheduleReport rough_schedule(std::uint64_t seed, bool print_trace);
/// One node loses the other, and an operator confirms it down, rightly or wrongly: writes go on, VMs are taken over, nodes
/// are booted alone, come back and are lost again meanwhile.
ScheduleReport alone_schedule(std::uint64_t seed, bool print_trace);
/// Only the copies lose each other: guests go on by the other node's consent, and then either node is lost.
ScheduleReport consent_schedule(std::uint64_t seed, bool print_trace);
/// Under the policy run-alone: who is lost, wholly or by its links, is gone on without; copies are accepted, and both are kept.
ScheduleReport run_alone_schedule(std::uint64_t seed, bool print_trace);
/// DRBD gives one side's disk up under a guest that writes: the copy that is left behind is opened for nobody until it is equal.
ScheduleReport lost_disk_schedule(std::uint64_t seed, bool print_trace);
/// Machines are rebooted and powered off in order, faults in the middle: the other node goes on by the leaver's consent, and
/// the leaver opens nothing before it is back.
ScheduleReport leave_schedule(std::uint64_t seed, bool print_trace);
/// Packages come and go on either node while configuration is changed and things fail; then the format is raised.
ScheduleReport upgrade_schedule(std::uint64_t seed, bool print_trace);
/// Viewers of a guest's console on both nodes, while the guest prints and is moved and things fail.
ScheduleReport console_schedule(std::uint64_t seed, bool print_trace);
/// One fault at one step of one plan; seeds from 0 count through every command, step, moment, node and kind of fault.
ScheduleReport step_schedule(std::uint64_t seed, bool print_trace);
/// The same for repairs: of one side under a guest that writes, and whole, from the side a person names.
ScheduleReport repair_schedule(std::uint64_t seed, bool print_trace);
/// The same for disks that DRBD gave up, of either side, and that are attached again.
ScheduleReport attach_schedule(std::uint64_t seed, bool print_trace);
/// The same for what belongs to nothing and is deleted by name.
ScheduleReport orphan_schedule(std::uint64_t seed, bool print_trace);
/// VMs are deleted while one node is away: it finishes that when it is back, faults in the middle, and takes nothing else.
ScheduleReport late_delete_schedule(std::uint64_t seed, bool print_trace);
/// The same as step for local disks that become replicated where they are, and local again.
ScheduleReport convert_schedule(std::uint64_t seed, bool print_trace);
/// The same for a removal of a node and the join that follows, under a guest that writes on.
ScheduleReport removal_schedule(std::uint64_t seed, bool print_trace);
/// Each step of each of these plans answers wrongly, twice, late or not at all, and so does its undo; seeds from 0 count through all.
ScheduleReport answer_schedule(std::uint64_t seed, bool print_trace);
/// One verify and one thing that happens to it; seeds from 0 count through events, moments, what the legs hold, guests and nodes.
ScheduleReport verify_schedule(std::uint64_t seed, bool print_trace);

}  // namespace mcv::sim
