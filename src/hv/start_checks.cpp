// SPDX-License-Identifier: Apache-2.0
#include "hv/start_checks.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "cluster/model/vm_lock.h"
#include "hv/choose_hypervisor.h"

namespace mcv::hv {
namespace {

using Outcome = CheckOutcome;

StartCheck ok(const char* id, std::string text) { return {id, Outcome::ok, std::move(text), {}}; }
StartCheck warn(const char* id, std::string text, std::string fix) { return {id, Outcome::warn, std::move(text), std::move(fix)}; }
StartCheck refuse(const char* id, std::string text, std::string fix) { return {id, Outcome::refuse, std::move(text), std::move(fix)}; }

/// A VM that may have a VMM. Unknown counts: a silent monitor does not prove that nothing runs.
bool may_run(RunState state) { return state != RunState::stopped; }

bool may_run(const NodeFacts* node, const VmName& vm) {
  if (node == nullptr) return false;
  const auto found = node->vms.find(vm.str());
  return found != node->vms.end() && may_run(found->second.state);
}

/// What a guest that runs here has: it was started with it, whatever was configured since.
StartedWith held_by(const NodeFacts& node, const VmRecord& vm) {
  const auto found = node.vms.find(vm.name.str());
  if (found != node.vms.end() && found->second.started_with) return *found->second.started_with;
  return {vm.cpus, vm.memory, vm.boot};
}

bool runs_anywhere(const StartQuestion& q, const VmName& vm) { return may_run(&q.here, vm) || may_run(q.peer, vm); }

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

StartCheck locked(const StartQuestion& q) {
  const Status lock = check_lock(q.vm, VmUse::start);
  if (lock.ok()) return ok("locked", "not locked");
  return refuse("locked", lock.error().message(), lock.error().next());
}

StartCheck owner_here(const StartQuestion& q) {
  const std::string& owner = q.vm.owner.str();
  if (q.takes_over) return ok("owner-here", fmt::format("taken over from {}, which was confirmed down", owner));
  if (q.starts_at_target) return ok("owner-here", fmt::format("moves from {} to {}", owner, q.here.name.str()));
  if (q.vm.owner == q.here.name) return ok("owner-here", fmt::format("belongs to {}", owner));
  return refuse("owner-here", fmt::format("belongs to {}, this is {}", owner, q.here.name.str()),
                fmt::format("hvctl migrate --node {} {}", q.here.name.str(), q.vm.name.str()));
}

StartCheck running_elsewhere(const StartQuestion& q) {
  const char* id = "running-elsewhere";
  const std::string& name = q.vm.name.str();
  if (may_run(&q.here, q.vm.name)) {
    const RunState state = q.here.vms.at(name).state;
    return refuse(id, fmt::format("is {} on {} already", to_text(state), q.here.name.str()), fmt::format("hvctl vm info {}", name));
  }
  if (q.starts_at_target) return ok(id, "stopped at its source by the migration");
  if (q.peer != nullptr) {
    if (!may_run(q.peer, q.vm.name)) return ok(id, fmt::format("does not run on {}", q.peer->name.str()));
    const RunState state = q.peer->vms.at(name).state;
    return refuse(id, fmt::format("is {} on {}", to_text(state), q.peer->name.str()), fmt::format("hvctl vm info {}", name));
  }
  if (!q.state.is_cluster()) return ok(id, "there is no other node");
  if (q.takes_over) return ok(id, "the other node was confirmed down");
  return warn(id, "the other node did not answer; only the ownership record and DRBD speak against a second run", "hvctl info");
}

StartCheck hypervisor_installed(const StartQuestion& q) {
  const Result<std::string> chosen = choose_hypervisor(q.vm.hypervisor, q.vm.boot, q.here.hypervisors);
  if (chosen.ok()) return ok("hypervisor-installed", *chosen);
  return refuse("hypervisor-installed", chosen.error().message(), chosen.error().next());
}

StartCheck kvm(const StartQuestion& q) {
  if (q.here.kvm) return ok("kvm", "/dev/kvm is usable");
  return refuse("kvm", fmt::format("{} has no usable /dev/kvm", q.here.name.str()),
                "modprobe kvm_intel || modprobe kvm_amd   (and check that virtualisation is enabled in the firmware)");
}

StartCheck cpu_count(const StartQuestion& q) {
  std::uint64_t used = q.vm.cpus;
  for (const VmRecord& other : q.state.vms()) {
    if (other.name != q.vm.name && may_run(&q.here, other.name)) used += held_by(q.here, other).cpus;
  }
  const std::uint64_t limit = std::uint64_t{q.here.cpus} * q.limits.cpu_ratio;
  if (q.here.cpus != 0 && q.vm.cpus > q.here.cpus)
    return warn("cpu-count", fmt::format("{} guest CPUs on a node with {}: the guest gets slower, not faster", q.vm.cpus, q.here.cpus),
                fmt::format("hvctl vm update {} --cpus {}", q.vm.name.str(), q.here.cpus));
  if (used > limit)
    return warn("cpu-count", fmt::format("{} guest CPUs in all on {} CPUs, more than {} each", used, q.here.cpus, q.limits.cpu_ratio), "hvctl vm list");
  return ok("cpu-count", fmt::format("{} guest CPUs in all on {} CPUs", used, q.here.cpus));
}

StartCheck memory(const StartQuestion& q) {
  const Bytes needed = q.vm.memory + q.limits.memory_per_vmm;
  Bytes promised = memory_needed(q.vm, q.limits);
  for (const VmRecord& other : q.state.vms()) {
    if (other.name != q.vm.name && may_run(&q.here, other.name)) promised = promised + held_by(q.here, other).memory + q.limits.memory_per_vmm;
  }
  const std::string fix = fmt::format("stop or migrate another VM, or: hvctl vm update {} --memory SIZE", q.vm.name.str());
  // Guests that run have not touched all of their memory yet; they will.
  if (promised > q.here.memory_total)
    return refuse("memory", fmt::format("with {} for {}, guests and node need {} of {}", q.vm.memory.to_text(), q.vm.name.str(), promised.to_text(), q.here.memory_total.to_text()), fix);
  if (memory_needed(q.vm, q.limits) > q.here.memory_available)
    return refuse("memory", fmt::format("{} needed, {} available, {} stay free for the node", needed.to_text(), q.here.memory_available.to_text(), q.limits.memory_reserve.to_text()), fix);
  return ok("memory", fmt::format("{} needed, {} available", needed.to_text(), q.here.memory_available.to_text()));
}

StartCheck file_present(const StartQuestion& q, const char* id, const char* what, const std::string& path) {
  if (path.empty()) return ok(id, fmt::format("no {} asked for", what));
  const auto found = q.here.files_sha256.find(path);
  if (found == q.here.files_sha256.end())
    return refuse(id, fmt::format("{} is missing on {}", path, q.here.name.str()), fmt::format("copy {} to {} (the same bytes on both nodes)", path, q.here.name.str()));
  if (q.peer != nullptr) {
    const auto there = q.peer->files_sha256.find(path);
    const char* trouble = there == q.peer->files_sha256.end() ? "is missing" : (there->second != found->second ? "is different" : nullptr);
    if (trouble != nullptr)
      return warn(id, fmt::format("{} {} on {}: the VM cannot move there", path, trouble, q.peer->name.str()), fmt::format("copy {} to {}", path, q.peer->name.str()));
  }
  return ok(id, path);
}

StartCheck network_present(const StartQuestion& q) {
  std::vector<std::string> missing;
  for (const NicRecord& nic : q.vm.nics) {
    const Result<NetworkRecord> network = q.state.network(nic.network);
    if (!network.ok()) missing.push_back(fmt::format("network {} does not exist", nic.network.str()));
    else if (std::find(q.here.bridges.begin(), q.here.bridges.end(), network->bridge) == q.here.bridges.end())
      missing.push_back(fmt::format("{} has no bridge {} (network {})", q.here.name.str(), network->bridge, nic.network.str()));
  }
  if (missing.empty()) return ok("network-present", fmt::format("{} NICs", q.vm.nics.size()));
  return refuse("network-present", join(missing), "hvctl network list; hvctl node init makes br0");
}

StartCheck mac_in_use(const StartQuestion& q) {
  std::vector<std::string> running;
  std::vector<std::string> configured;
  for (const VmRecord& other : q.state.vms()) {
    if (other.name == q.vm.name) continue;
    for (const NicRecord& theirs : other.nics) {
      const bool same = std::any_of(q.vm.nics.begin(), q.vm.nics.end(), [&theirs](const NicRecord& ours) { return ours.mac == theirs.mac; });
      if (same) (runs_anywhere(q, other.name) ? running : configured).push_back(fmt::format("{} ({})", theirs.mac, other.name.str()));
    }
  }
  if (!running.empty()) return refuse("mac-in-use", "used by a running VM: " + join(running), "give one of them another MAC address");
  if (!configured.empty()) return warn("mac-in-use", "also given to: " + join(configured), "give one of them another MAC address");
  return ok("mac-in-use", "no other VM has its MAC addresses");
}

StartCheck disk_in_use(const StartQuestion& q) {
  for (const VolumeName& volume : q.vm.volumes) {
    for (const VmRecord& other : q.state.vms()) {
      const bool shared = other.name != q.vm.name && std::find(other.volumes.begin(), other.volumes.end(), volume) != other.volumes.end();
      if (shared && runs_anywhere(q, other.name))
        return refuse("disk-in-use", fmt::format("{} is in use by {}", volume.str(), other.name.str()), fmt::format("hvctl vm stop {}", other.name.str()));
    }
    const auto facts = q.here.volumes.find(volume.str());
    if (facts != q.here.volumes.end() && facts->second.peer_role == DiskRole::primary && !q.starts_at_target)
      return refuse("disk-in-use", fmt::format("{} is Primary on the other node", volume.str()), fmt::format("hvctl vm info {}; hvctl drbd list", q.vm.name.str()));
  }
  return ok("disk-in-use", "no other user of its volumes");
}

StartCheck volumes_present(const StartQuestion& q) {
  for (const VolumeName& name : q.vm.volumes) {
    const Result<VolumeRecord> volume = q.state.volume(name);
    if (!volume.ok()) return refuse("volumes-present", fmt::format("volume {} has no record", name.str()), fmt::format("hvctl vm info {}", q.vm.name.str()));
    if (volume->kind == VolumeKind::local && volume->node != q.here.name.str())
      return refuse("volumes-present", fmt::format("{} is a local volume of {}", name.str(), volume->node), fmt::format("start it on {}", volume->node));
    if (volume->kind == VolumeKind::drbd && !q.here.volumes.contains(name.str()))
      return refuse("volumes-present", fmt::format("{} is not up in DRBD on {}", name.str(), q.here.name.str()), fmt::format("drbdadm up {}; hvctl drbd list", volume->resource()));
  }
  return ok("volumes-present", fmt::format("{} volumes", q.vm.volumes.size()));
}

/// Only the other node knows, or a person.
std::string deciding_command(const StartQuestion& q) {
  for (const NodeRecord& node : q.state.nodes()) {
    if (node.name != q.here.name) return fmt::format("bring {0} back; only if {0} is powered off: hvctl cluster confirm-down {0}", node.name.str());
  }
  return "hvctl info";
}

StartCheck volumes_up_to_date(const StartQuestion& q) {
  std::vector<std::string> alone;
  for (const VolumeName& name : q.vm.volumes) {
    const auto found = q.here.volumes.find(name.str());
    if (found == q.here.volumes.end()) continue;  // local, or refused by volumes-present
    const VolumeFacts& facts = found->second;
    const bool is_whole = facts.disk == DiskState::consistent || facts.disk == DiskState::outdated;
    const bool own = is_whole && q.is_fresh_alone && q.is_fresh_alone(name);
    // Attached since the other node was last heard of.
    if (facts.disk == DiskState::consistent && !own && q.peer == nullptr && q.state.is_cluster())
      return refuse("volumes-up-to-date", fmt::format("whether {} is the newest copy is not known here: the other node does not answer", name.str()), deciding_command(q));
    if (facts.disk != DiskState::up_to_date && !own)
      return refuse("volumes-up-to-date", fmt::format("{} is {} on {}", name.str(), to_text(facts.disk), q.here.name.str()), "hvctl drbd list   (wait for the resync, or start it where the data is current)");
    if (facts.suspended.held()) {
      const Result<VolumeRecord> volume = q.state.volume(name);
      const HoldAdvice held = explain(facts.suspended, name, volume.ok() ? volume->resource() : name.str()).front();
      return refuse("volumes-up-to-date", held.text, held.next);
    }
    if (!facts.redundant()) alone.push_back(fmt::format("{} (peer disk {})", name.str(), to_text(facts.peer_disk)));
  }
  if (!alone.empty()) return warn("volumes-up-to-date", "current here and not redundant: " + join(alone), "hvctl drbd list");
  return ok("volumes-up-to-date", "current on both nodes, or local");
}

StartCheck verify_gate(const StartQuestion& q) {
  std::vector<std::string> closed;
  for (const VolumeName& name : q.vm.volumes) {
    const Result<VolumeRecord> volume = q.state.volume(name);
    if (volume.ok() && volume->verdict.kind == VerdictKind::mismatch) closed.push_back(fmt::format("{}: mismatch in {} ranges", name.str(), volume->verdict.ranges.size()));
    else if (q.is_suspect && q.is_suspect(name)) closed.push_back(fmt::format("{}: suspect, a verify that found differences did not end", name.str()));
  }
  if (closed.empty()) return ok("verify-gate", "no volume failed its last verify");
  const std::string& vm = q.vm.name.str();
  if (q.override_verify_gate) return warn("verify-gate", join(closed) + " (overridden)", fmt::format("hvctl verify {}", vm));
  return refuse("verify-gate", join(closed), fmt::format("with both nodes up: hvctl resync {0} copies the marked blocks from the good side, then hvctl verify {0} lifts this; or, with a reason: hvctl vm start {0} --override REASON", vm));
}

}  // namespace

Bytes memory_needed(const VmRecord& vm, const StartLimits& limits) { return vm.memory + limits.memory_per_vmm + limits.memory_reserve; }

std::string_view to_text(CheckOutcome outcome) {
  switch (outcome) {
    case CheckOutcome::ok: return "ok";
    case CheckOutcome::warn: return "warn";
    case CheckOutcome::refuse: return "refuse";
  }
  return "refuse";
}

std::vector<StartCheck> start_checks(const StartQuestion& q) {
  std::vector<StartCheck> checks;
  checks.push_back(locked(q));
  checks.push_back(owner_here(q));
  checks.push_back(running_elsewhere(q));
  checks.push_back(hypervisor_installed(q));
  checks.push_back(kvm(q));
  checks.push_back(cpu_count(q));
  checks.push_back(memory(q));
  checks.push_back(file_present(q, "kernel-present", "kernel", q.vm.boot.kernel));
  checks.push_back(file_present(q, "initramfs-present", "initramfs", q.vm.boot.initramfs));
  checks.push_back(file_present(q, "firmware-present", "firmware", q.vm.boot.firmware));
  checks.push_back(network_present(q));
  checks.push_back(mac_in_use(q));
  checks.push_back(disk_in_use(q));
  checks.push_back(volumes_present(q));
  checks.push_back(volumes_up_to_date(q));
  checks.push_back(verify_gate(q));
  return checks;
}

std::vector<StartCheck> last_checks(const StartQuestion& q) {
  static const std::set<std::string_view> asked{"hypervisor-installed", "kvm",          "memory",          "kernel-present", "initramfs-present",
                                                "firmware-present",     "mac-in-use", "network-present", "verify-gate"};
  std::vector<StartCheck> checks = start_checks(q);
  std::erase_if(checks, [](const StartCheck& check) { return !asked.contains(check.id); });
  return checks;
}

Status to_status(const VmName& vm, const std::vector<StartCheck>& checks) {
  static const std::vector<std::pair<std::string_view, ErrorCode>> precise{
      {"locked", ErrorCode::vm_locked},          {"verify-gate", ErrorCode::verify_gate},
      {"hypervisor-installed", ErrorCode::hypervisor_missing}, {"volumes-up-to-date", ErrorCode::not_up_to_date},
      {"running-elsewhere", ErrorCode::guest_running}};
  std::vector<std::string> reasons;
  std::string next;
  ErrorCode code = ErrorCode::start_refused;
  for (const StartCheck& check : checks) {
    if (check.outcome != CheckOutcome::refuse) continue;
    reasons.push_back(fmt::format("{}: {}", check.id, check.text));
    if (!next.empty()) continue;
    next = check.fix;
    for (const auto& [id, own_code] : precise) {
      if (id == check.id) code = own_code;
    }
  }
  if (reasons.empty()) return success();
  if (reasons.size() > 1) code = ErrorCode::start_refused;
  return Error(code, fmt::format("{} cannot start: {}", vm.str(), fmt::join(reasons, "; "))).with_safe("nothing was started").with_next(next);
}

}  // namespace mcv::hv
