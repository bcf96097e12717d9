// SPDX-License-Identifier: Apache-2.0
#include "migrate/offline_planner.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/model/older_copy.h"
#include "cluster/model/vm_lock.h"
#include "cluster/plans/steps.h"
#include "hv/start_checks.h"

namespace mcv::migrate {
namespace {

class Refusals {
 public:
  void add(std::string id, ErrorCode code, std::string text, std::string fix) { list_.push_back({std::move(id), code, std::move(text), std::move(fix)}); }
  std::vector<Refusal> take() { return std::move(list_); }

 private:
  std::vector<Refusal> list_;
};

RunState run_state(const NodeFacts& facts, const VmName& vm) {
  const auto found = facts.vms.find(vm.str());
  return found == facts.vms.end() ? RunState::stopped : found->second.state;
}

void check_guest(Refusals& refusals, const OfflineQuestion& question, const VmRecord& vm) {
  const std::string name = vm.name.str();
  if (const Status lock = check_lock(vm, VmUse::migrate); !lock.ok()) refusals.add("locked", lock.error().code(), lock.error().message(), lock.error().next());
  if (vm.deleting) refusals.add("deleting", ErrorCode::busy, fmt::format("{} is being deleted", name), "hvctl op list");
  const RunState here = run_state(question.source, vm.name);
  if (here != RunState::stopped && !question.request.wait_for_shutdown) {
    refusals.add("running", ErrorCode::guest_running, fmt::format("{} is {} on {}", name, to_text(here), vm.owner.str()),
                 fmt::format("hvctl migrate --node {0} {1} --wait-for-shutdown, or first: hvctl vm stop {1}", question.request.target.str(), name));
  }
  if (question.target != nullptr && run_state(*question.target, vm.name) != RunState::stopped) {
    refusals.add("running-there", ErrorCode::guest_running, fmt::format("{} is not stopped on {}, which does not own it", name, question.request.target.str()),
                 fmt::format("on {}: hvctl vm info {}", question.request.target.str(), name));
  }
}

void check_volume(Refusals& refusals, const OfflineQuestion& question, const VolumeRecord& volume) {
  const std::string name = volume.name.str();
  if (volume.kind == VolumeKind::local) {
    refusals.add("local-disk", ErrorCode::migrate_refused, fmt::format("the disk {} is local to {}", name, volume.node), "only VMs whose disks are all replicated can move");
    return;
  }
  const bool suspect = question.is_suspect && question.is_suspect(volume.name);
  if (volume.verdict.kind == VerdictKind::mismatch || suspect) {
    refusals.add("verify-gate", ErrorCode::verify_gate,
                 suspect ? fmt::format("a verify of {} found differences and did not end", name) : fmt::format("the last verify of {} found {} differing ranges", name, volume.verdict.ranges.size()),
                 fmt::format("hvctl resync {0} copies the marked blocks from the good side, then hvctl verify {0} lifts this", volume.vm.str()));
  }
  const auto facts = question.source.volumes.find(name);
  if (facts == question.source.volumes.end()) {
    refusals.add("disk-down", ErrorCode::not_up_to_date, fmt::format("{} is not configured on {}", name, question.source.name.str()), "hvctl drbd list");
    return;
  }
  const VolumeFacts& seen = facts->second;
  if (const auto older = older_copy(seen, volume.name, question.source.name.str(), question.request.target.str())) {
    refusals.add("older-copy", ErrorCode::not_up_to_date, older->text, older->next);
  } else if (!seen.redundant()) {
    refusals.add("not-up-to-date", ErrorCode::not_up_to_date,
                 fmt::format("{} is {} here and {} there, connection {}", name, to_text(seen.disk), to_text(seen.peer_disk), to_text(seen.connection)), "hvctl drbd list");
  }
  if (seen.peer_role == DiskRole::primary) {
    refusals.add("peer-primary", ErrorCode::peer_is_primary, fmt::format("{} is Primary on {} already", name, question.request.target.str()), "hvctl drbd list");
  }
}

void check_files(Refusals& refusals, const OfflineQuestion& question, const VmRecord& vm) {
  const struct { const char* id; const std::string& path; } files[] = {{"kernel", vm.boot.kernel}, {"initramfs", vm.boot.initramfs}, {"firmware", vm.boot.firmware}};
  for (const auto& [id, path] : files) {
    if (path.empty()) continue;
    const auto there = question.target->files_sha256.find(path);
    if (there == question.target->files_sha256.end()) {
      refusals.add(id, ErrorCode::migrate_refused, fmt::format("{} is missing on {}", path, question.request.target.str()), fmt::format("copy {} to the same path there", path));
      continue;
    }
    const auto here = question.source.files_sha256.find(path);
    if (here != question.source.files_sha256.end() && here->second != there->second) {
      refusals.add(id, ErrorCode::migrate_refused, fmt::format("{} differs between the nodes", path), fmt::format("make {} the same on both nodes", path));
    }
  }
}

/// What a start there needs of the node. Also of a VM that only moves: it would be stranded on a node that cannot run it.
void check_machine(Refusals& refusals, const OfflineQuestion& question, const VmRecord& vm) {
  const NodeFacts& target = *question.target;
  const std::string target_name = question.request.target.str();
  const std::string vm_name = vm.name.str();
  hv::StartQuestion start{.state = question.state, .vm = vm, .here = target, .peer = &question.source, .starts_at_target = true, .is_suspect = question.is_suspect};
  for (const hv::StartCheck& check : hv::start_checks(start)) {
    if (check.outcome != hv::CheckOutcome::refuse) continue;
    if (check.id == "hypervisor-installed") {
      refusals.add("hypervisor", ErrorCode::hypervisor_missing, fmt::format("on {}: {}", target_name, check.text), fmt::format("on {}: {}", target_name, check.fix));
    }
    if (check.id == "kvm") refusals.add("kvm", ErrorCode::migrate_refused, check.text, fmt::format("on {}: {}", target_name, check.fix));
    // What runs there now does not matter to a VM that is not started: it may be gone by then.
    if (check.id == "memory" && question.request.start_after_migration) {
      refusals.add("memory", ErrorCode::migrate_refused, fmt::format("{} cannot be started on {}: {}", vm_name, target_name, check.text),
                   "stop a VM there, or migrate without --start-after-migration");
    }
  }
  const Bytes needed = hv::memory_needed(vm, start.limits);
  if (!question.request.start_after_migration && needed > target.memory_total) {
    refusals.add("memory", ErrorCode::migrate_refused,
                 fmt::format("{} could never start on {}: VM and node need {}, {} is all it has", vm_name, target_name, needed.to_text(), target.memory_total.to_text()),
                 fmt::format("hvctl vm update {} --memory SIZE", vm_name));
  }
}

void check_target(Refusals& refusals, const OfflineQuestion& question, const VmRecord& vm) {
  const NodeFacts& target = *question.target;
  const std::string target_name = question.request.target.str();
  for (const NicRecord& nic : vm.nics) {
    const auto network = question.state.network(nic.network);
    const bool there = network.ok() && std::find(target.bridges.begin(), target.bridges.end(), network->bridge) != target.bridges.end();
    if (!there) {
      refusals.add("network", ErrorCode::migrate_refused, fmt::format("network {} is not realised on {}", nic.network.str(), target_name),
                   fmt::format("on {}: hvctl node init --all", target_name));
    }
  }
  check_files(refusals, question, vm);
  if (vm.cpus > target.cpus * 4) {
    refusals.add("cpus", ErrorCode::migrate_refused, fmt::format("{} wants {} CPUs, {} has {}", vm.name.str(), vm.cpus, target_name, target.cpus), fmt::format("hvctl vm update {} --cpus N", vm.name.str()));
  }
  check_machine(refusals, question, vm);
}

}  // namespace

std::vector<Refusal> offline_refusals(const OfflineQuestion& question) {
  Refusals refusals;
  const auto vm = question.state.vm(question.request.vm);
  if (!vm.ok()) {
    refusals.add("unknown-vm", vm.error().code(), vm.error().message(), vm.error().next());
    return refusals.take();
  }
  const std::string target = question.request.target.str();
  if (!question.state.node(question.request.target).ok()) {
    refusals.add("unknown-node", ErrorCode::not_found, fmt::format("there is no node named {}", target), "hvctl node list");
    return refusals.take();
  }
  if (vm->owner == question.request.target) {
    refusals.add("already-there", ErrorCode::migrate_refused, fmt::format("{} belongs to {} already", vm->name.str(), target), fmt::format("hvctl vm start {}", vm->name.str()));
    return refusals.take();
  }
  // First: an absent node is also why disks are not redundant.
  if (question.target == nullptr) refusals.add("unreachable", ErrorCode::peer_unreachable, fmt::format("{} does not answer", target), "hvctl info");
  check_guest(refusals, question, *vm);
  for (const VolumeRecord& volume : question.state.volumes_of(*vm)) check_volume(refusals, question, volume);
  if (question.target == nullptr) return refusals.take();
  check_target(refusals, question, *vm);
  return refusals.take();
}

Error to_error(const OfflineRequest& request, const std::vector<Refusal>& refusals) {
  std::string text = fmt::format("{} cannot move to {}: ", request.vm.str(), request.target.str());
  for (std::size_t index = 0; index < refusals.size(); ++index) text += (index == 0 ? "" : "; ") + refusals[index].text;
  return Error(refusals.front().code, text).with_safe(fmt::format("{} stays where it is; nothing was changed", request.vm.str())).with_next(refusals.front().fix);
}

Result<Plan> plan_offline(const OfflineQuestion& question) {
  const auto refusals = offline_refusals(question);
  if (!refusals.empty()) return to_error(question.request, refusals);
  MCV_TRY(const VmRecord vm, question.state.vm(question.request.vm));
  const NodeName& source = vm.owner;
  const NodeName& target = question.request.target;
  const std::vector<VolumeRecord> volumes = question.state.volumes_of(vm);

  Plan plan;
  plan.kind = "vm-migrate";
  plan.object = "vm/" + vm.name.str();
  plan.summary = fmt::format("move {} from {} to {}", vm.name.str(), source.str(), target.str());
  if (question.request.wait_for_shutdown) plan.steps.push_back(plans::guest_wait_stopped(source, vm.name, question.request.timeout_seconds));
  plan.steps.push_back(plans::migrate_recheck(source, vm.name, target, question.request.start_after_migration));
  plan.steps.push_back(plans::guest_release(source, vm));
  for (const VolumeRecord& volume : volumes) plan.steps.push_back(plans::volume_secondary(source, {volume, std::nullopt}));
  for (const VolumeRecord& volume : volumes) plan.steps.push_back(plans::volume_primary(target, {volume, std::nullopt}));

  // The owner moves in one change with the last Primary: a crash before it leaves the old owner in charge, after it the
  // new one. Patches, because a verify may record its verdict while the move waits for the guest.
  std::vector<Mutation> mutations{patch(Kind::vm, vm.name.str(), {{"owner", target.str()}}, Json{{"owner", source.str()}})};
  for (const VolumeRecord& volume : volumes) mutations.push_back(patch(Kind::volume, volume.name.str(), {{"last_primary", target.str()}}));
  VmRecord moved = vm;
  moved.owner = target;
  plan.steps.push_back(plans::record(source, std::move(mutations), fmt::format("record {} as the owner of {}", target.str(), vm.name.str()), /*commits=*/true));
  if (question.request.start_after_migration) {
    plan.steps.push_back(plans::guest_start(target, moved, volumes, plans::GateRule::holds));
  } else {
    for (const VolumeRecord& volume : volumes) plan.steps.push_back(plans::volume_secondary(target, {volume, std::nullopt}));
  }
  return plan;
}

}  // namespace mcv::migrate
