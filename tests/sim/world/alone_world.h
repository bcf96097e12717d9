// SPDX-License-Identifier: Apache-2.0
// Two guests, one on each node, and what happens when one node, or only its copies, are lost: steps of the kinds alone, consent
// and run-alone.
#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "world/node_world.h"

namespace mcv::sim {

class AloneSchedule : public NodeWorld {
 public:
  using NodeWorld::NodeWorld;
  ScheduleReport run(std::uint64_t seed);
  /// Only the copies lose each other, again and again.
  ScheduleReport run_consent(std::uint64_t seed);
  /// Under the policy run-alone.
  ScheduleReport run_alone_policy(std::uint64_t seed);
  /// A disk is given up, and then worse comes.
  ScheduleReport run_lost_disk(std::uint64_t seed);

 private:
  const std::array<VmName, 2> guests = {VmName::trusted("vm1"), VmName::trusted("vm2")};  ///< one on each node

  const ClusterState& state(std::size_t node) { return daemon(node).shared.current(); }
  std::size_t owner(std::size_t asked, const VmName& vm) { return state(asked).vm(vm)->owner.str() == "A" ? 0 : 1; }
  bool runs_on(std::size_t node, const VmName& vm) { return up(node) && daemon(node).guests.facts(vm).state == RunState::running; }
  /// A VMM that waits for its held disk does not answer: a daemon that has just begun cannot tell.
  bool may_run_on(std::size_t node, const VmName& vm) { return runs_on(node, vm) || (up(node) && daemon(node).guests.facts(vm).state == RunState::unknown); }
  bool runs_at_all(std::size_t node) { return runs_on(node, guests[0]) || runs_on(node, guests[1]); }
  std::uint64_t highest(const VmName& vm);
  static std::string path(const VmName& vm) { return "/v1/vms/" + vm.str(); }

  void create_guests();
  Answer confirm(std::size_t survivor, bool with_faults);
  bool insist_on_confirming(std::size_t survivor, bool with_faults);
  void must_go_on(std::size_t node, const VmName& vm);
  void start_here(std::size_t node, const VmName& vm, bool with_faults);
  void lone_boot(std::size_t survivor);
  void truly_down();
  void survivor_is_lost(std::size_t survivor);
  void wrongly_typed();
  void wrongly_believed();
  bool is_set_aside(std::size_t node, const VmName& vm);
  void try_to_start(std::size_t node, const VmName& vm, const char* where);
  void copies_lost();
  void trouble_meanwhile();
  void must_not_move(const VmName& vm);
  void owner_is_lost();
  std::vector<VmName> owned_by(std::size_t node);
  void own_guests_go_on_alone(std::size_t node, Time bound);
  void set_policy(const char* policy);
  void must_go_on_alone(std::size_t node, const VmName& vm, Time bound);
  std::uint64_t on_disk(std::size_t node, const VmName& vm, std::uint64_t block);
  void accept_and_start(std::size_t survivor, const VmName& vm);
  void fork_lineage(std::size_t survivor, const VmName& vm);
  void meet();
  bool one_copy_is_left();
  void one_node_lost();
  void both_alone();
  void accepted_by_a_false_word();
  void copies_lost_for_a_while();
  void policy_changes();
  bool is_left_behind(std::size_t node, const VmName& vm);
  void lose(std::size_t node, const VmName& vm);
  void attach_all();
  void left_behind_is_alone(std::size_t loser, const VmName& vm);
  void newest_loses_its_disk_too(std::size_t loser, const VmName& vm);
  void disk_lost();
  void come_together();
  void check_copies();

  std::set<std::string> lossy_;     ///< VMs whose accepted copy lacked acknowledged writes
  std::set<std::string> two_copies_;
  bool policy_is_freeze_ = false;
};

}  // namespace mcv::sim
