// SPDX-License-Identifier: Apache-2.0
// Only the copies lose each other, while the daemons talk, or nearly: the guests go on by the other node's consent. Then worse
// comes: daemons end, either node loses its power, both are cut apart, somebody types what is not true. What was acknowledged
// meanwhile is in whatever starts, and nothing runs twice.
#include <fmt/format.h>

#include "world/alone_world.h"

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

bool AloneSchedule::is_set_aside(std::size_t node, const VmName& vm) {
  if (!up(node)) return false;
  const authority::Standpoint now = daemon(node).authority.standpoint();
  return now.consents.stands(now.self, VolumeName::trusted(vm.str() + "-0"));
}

/// Whether it starts is the daemon's decision; the auditor looks at the disk it would start on.
void AloneSchedule::try_to_start(std::size_t node, const VmName& vm, const char* where) {
  if (!well() || !up(node)) return;
  const bool aside = is_set_aside(node, vm);
  const Answer answer = call(node, "POST", path(vm) + "/start", Json::object(), false);
  run_events([&] { return up(node) && daemon(node).operations.running() == 0; }, 300s);
  const bool runs = runs_on(node, vm);
  ++report_.covered[fmt::format("start {} {} × {}", where, runs ? "works" : answer.ok() ? "fails" : "is refused", fault_)];
  if (aside && runs && is_set_aside(node, vm)) violation(fmt::format("I5: {} runs on {}, which set its copy aside", vm.str(), node_name(node)));
  must_go_on(node, vm);
}

/// While the copies have lost each other, and while the question is under way.
void AloneSchedule::trouble_meanwhile() {
  const std::size_t node = chance().below(2);
  pass(milliseconds(chance().between(0, 4000)));
  switch (chance().below(8)) {
    case 0:
      fault_ = "replication link cut, daemon crash";
      end_daemon(node);
      pass(milliseconds(chance().below(15'000)));
      break;
    case 1:
      fault_ = "replication link cut, cluster link cut for a while";
      network_.cut = true;
      corosync_.cut();
      pass(milliseconds(chance().below(60'000)));
      network_.cut = false;
      corosync_.heal();
      break;
    case 2:
      fault_ = "replication link cut, power cut";
      power_cut(node);
      break;
    case 3:
      fault_ = "replication link cut, peer link loses";
      network_.refuse_percent = network_.lose_request_percent = network_.lose_answer_percent = 20;
      pass(milliseconds(chance().below(30'000)));
      break;
    case 4:
      fault_ = "replication link cut, disk full";
      disks_[node].store.full = true;
      pass(milliseconds(chance().below(30'000)));
      break;
    case 5:
      fault_ = "replication link cut again and again";
      for (std::uint64_t times = chance().between(1, 4); times > 0 && well(); --times) {
        pass(milliseconds(chance().between(0, 6000)));
        drbd_->heal();
        pass(milliseconds(chance().between(0, 3000)));
        drbd_->cut();
      }
      break;
    default: break;
  }
  heal();
}

void AloneSchedule::must_not_move(const VmName& vm) {
  const std::size_t from = owner(0, vm);
  const Json body = {{"node", node_name(1 - from)}, {"wait_for_shutdown", true}};
  const Answer moved = call(from, "POST", path(vm) + "/migrate", body, false);
  if (moved.ok()) violation(fmt::format("I5: {} may move to {}, whose copy is older", vm.str(), node_name(1 - from)));
  ++report_.covered[fmt::format("migrate {} × {}", moved.error ? to_text(moved.error->code()) : "?", fault_)];
}

/// The node whose guest went on by consent is lost for good, or so it seems: the other one has its consent to keep.
void AloneSchedule::owner_is_lost() {
  const std::size_t gone = chance().below(2);
  const std::size_t survivor = 1 - gone;
  power_off(gone);
  if (chance().one_in(3)) {
    // Without contact since, on the other node's disk all the same.
    power_cut(survivor);
    heal_node(survivor);
  }
  if (!insist_on_confirming(survivor, false)) return;
  for (const VmName& vm : guests) must_go_on(survivor, vm);
  for (const VmName& vm : guests) {
    // For good, its operator thinks, and takes the older copy.
    if (well() && is_set_aside(survivor, vm) && chance().one_in(3)) accept_and_start(survivor, vm);
    else try_to_start(survivor, vm, owner(survivor, vm) == survivor ? "of an own VM" : "of a VM of the lost node");
  }
  pass(milliseconds(chance().between(0, 10'000)));
  // The link may be back before the node is.
  if (chance().one_in(2)) drbd_->heal();
  if (well()) power_on(gone);
  pass(milliseconds(chance().between(0, 20'000)));
}

void AloneSchedule::copies_lost() {
  fault_ = "replication link cut";
  drbd_->cut();
  trouble_meanwhile();
  const auto together = [&] { return up(0) && up(1) && daemon(0).shared.link().state == LinkState::together && daemon(1).shared.link().state == LinkState::together; };
  if (!run_events(together, 300s) && well()) violation("I3: the nodes do not come together while only their copies are apart");
  // Until both kernels have noticed the last cut, nothing is decided by it.
  pass(3s);
  for (const VmName& vm : guests) {
    if (!well()) return;
    const std::size_t node = owner(0, vm);
    if (runs_on(node, vm)) {
      must_go_on(node, vm);
      ++report_.covered["goes on by consent × " + fault_];
    } else if (chance().one_in(2)) {
      try_to_start(node, vm, "by its owner");
    }
    if (well()) must_not_move(vm);
  }
  switch (chance().below(4)) {
    case 0: owner_is_lost(); break;
    case 1: wrongly_believed(); break;
    default: break;
  }
  if (well()) drbd_->heal();
}

ScheduleReport AloneSchedule::run_consent(std::uint64_t seed) {
  if (!set_up_pair()) violation("two healthy nodes cannot be set up");
  if (well()) create_guests();
  for (std::uint64_t round = chance().between(1, 3); round > 0 && well(); --round) {
    copies_lost();
    if (!one_copy_is_left()) break;
    if (well()) come_together();
  }
  return finish("consent", seed);
}

ScheduleReport consent_schedule(std::uint64_t seed, bool print_trace) { return AloneSchedule(seed, print_trace).run_consent(seed); }

}  // namespace mcv::sim
