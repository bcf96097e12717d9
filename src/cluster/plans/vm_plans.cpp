// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/vm_plans.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "cluster/model/access_records.h"
#include "cluster/model/pending_delete.h"
#include "cluster/plans/steps.h"

namespace mcv::plans {
namespace {

Plan plan_for(const VmName& name, const char* kind, std::string summary) {
  Plan plan;
  plan.kind = kind;
  plan.object = "vm/" + name.str();
  plan.summary = std::move(summary);
  return plan;
}

Error half_deleted(const VmRecord& vm) {
  return Error(ErrorCode::busy, fmt::format("{} is being deleted; only finishing that is possible", vm.name.str())).with_next("hvctl op list");
}

Result<VmRecord> usable_vm(const ClusterState& state, const VmName& name, VmUse use) {
  MCV_TRY(VmRecord vm, state.vm(name));
  if (vm.deleting) return half_deleted(vm);
  MCV_CHECK(check_lock(vm, use));
  return vm;
}

Result<PoolRecord> choose_pool(const ClusterState& state, const requests::CreateVm& request) {
  if (request.pool) return state.pool(*request.pool);
  const auto& pools = state.all(Kind::pool);
  if (pools.empty()) return Error(ErrorCode::pool_missing, "there is no storage pool yet").with_next("hvctl storage create fast --vg VOLUMEGROUP --thin");
  if (pools.size() > 1) {
    return Error(ErrorCode::bad_request, fmt::format("there are {} storage pools; name the one to use", pools.size())).with_next("add --storage POOL; hvctl storage list shows them");
  }
  return PoolRecord::from_json(pools.begin()->second.value);
}

Status check_replication(const ClusterState& state) {
  if (!state.is_cluster()) {
    return Error(ErrorCode::drbd_disabled, "a replicated disk needs a second node, and this one is alone")
        .with_next("hvctl cluster add-node --node NAME --ip-address IP, or create the VM with --storage-type local");
  }
  if (state.setting("drbd") != "enabled") {
    return Error(ErrorCode::drbd_disabled, "replication is not enabled in this cluster").with_next("hvctl drbd enable");
  }
  return success();
}

/// The nodes a volume of this kind lives on.
std::vector<NodeName> sides(const ClusterState& state, VolumeKind kind, const NodeName& owner) {
  if (kind == VolumeKind::local) return {owner};
  std::vector<NodeName> names;
  for (const NodeRecord& node : state.nodes()) names.push_back(node.name);
  return names;
}

Status check_sides(const PoolRecord& pool, const Facts& facts, const std::vector<NodeName>& nodes) {
  for (const NodeName& node : nodes) {
    const auto found = facts.find(node.str());
    if (found == facts.end()) {
      return Error(ErrorCode::peer_unreachable, fmt::format("{} does not answer, and the disk needs it", node.str()))
          .with_safe("nothing was changed")
          .with_next("hvctl info");
    }
    if (pool.kind == PoolKind::directory) continue;
    const std::string& vg = pool.volume_group_on(node);
    if (!found->second.volume_group_free.contains(vg)) {
      return no_volume_group(found->second, vg, fmt::format("on {}: vgs; hvctl storage list", node.str())).with_context(fmt::format("the pool {}", pool.name.str()));
    }
  }
  return success();
}

Status check_boot_files(const BootRecord& boot, const NodeFacts& owner) {
  for (const std::string* path : {&boot.kernel, &boot.initramfs, &boot.firmware}) {
    if (path->empty() || owner.files_sha256.contains(*path)) continue;
    return Error(ErrorCode::not_found, fmt::format("there is no file {} on {}", *path, owner.name.str()))
        .with_safe("nothing was changed")
        .with_next("copy it to the same path on both nodes");
  }
  return success();
}

std::vector<VolumeRecord> volumes_for(const requests::CreateVm& request, const PoolRecord& pool, const NodeName& owner) {
  std::vector<VolumeRecord> volumes;
  for (std::size_t index = 0; index < request.disks.size(); ++index) {
    VolumeRecord volume;
    volume.name = VolumeName::trusted(fmt::format("{}-{}", request.name.str(), index));
    volume.vm = request.name;
    volume.pool = pool.name;
    volume.kind = request.storage_type;
    volume.size = request.disks[index];
    if (volume.kind == VolumeKind::local) volume.node = owner.str();
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

/// Each step on both sides before the next kind of step: what fails on one side fails before the other goes on.
void add_volume_steps(Plan& plan, const VolumeRef& ref, const std::vector<NodeName>& nodes, const NodeName& owner) {
  for (const NodeName& node : nodes) plan.steps.push_back(volume_backing(node, ref));
  if (ref.volume.kind == VolumeKind::local) return;
  for (const NodeName& node : nodes) plan.steps.push_back(volume_configure(node, ref));
  for (const NodeName& node : nodes) plan.steps.push_back(volume_up(node, ref));
  plan.steps.push_back(volume_identical(owner, ref));
  plan.steps.push_back(volume_redundant(owner, ref));
}

/// Whatever its revision: repeating a delete after a crash finds it gone and succeeds.
Mutation erase(Kind kind, std::string key) {
  Mutation mutation;
  mutation.kind = kind;
  mutation.key = std::move(key);
  return mutation;
}

/// The VM's record in these fields, word for word, for a change that holds only while they are that. Null is absent as well.
Json as_seen(const ClusterState& state, const VmName& name, const std::vector<const char*>& fields) {
  const ClusterState::Entry* entry = state.find(Kind::vm, name.str());
  Json seen = Json::object();
  for (const char* field : fields) seen[field] = entry == nullptr ? Json() : entry->value.value(field, Json());
  return seen;
}

/// Taps away, disks demoted: what a stopped guest leaves behind on its node.
void add_release_steps(Plan& plan, const ClusterState& state, const VmRecord& vm, const NodeName& where) {
  plan.steps.push_back(guest_release(where, vm));
  for (const VolumeRecord& volume : state.volumes_of(vm)) {
    if (volume.kind == VolumeKind::drbd) plan.steps.push_back(volume_secondary(where, {volume, std::nullopt}));
  }
}

/// What `absent` keeps of a volume, or why that cannot be told.
Result<PendingDelete> kept_by(const ClusterState& state, const VolumeRecord& volume, const AbsentNode& absent) {
  PendingDelete pending;
  pending.node = absent.name;
  pending.volume = volume;
  MCV_TRY(pending.pool, state.pool(volume.pool));
  pending.wall_seconds = absent.wall_seconds;
  const auto known = absent.generations.find(volume.name);
  if (volume.kind == VolumeKind::drbd && known != absent.generations.end() && !known->second.empty()) {
    pending.generations = known->second;
    return pending;
  }
  const char* why = volume.kind == VolumeKind::local ? "is there alone" : "is not attached here, so that the copy there could not be told from another one";
  return Error(ErrorCode::peer_unreachable, fmt::format("{} {} and {} is away", volume.name.str(), why, absent.name.str()))
      .with_safe("nothing was deleted")
      .with_next(fmt::format("hvctl drbd list; or bring {} back, then: hvctl vm delete {}", absent.name.str(), volume.vm.str()));
}

}  // namespace

Status check_no_remains(const ClusterState& state, const std::vector<VolumeRecord>& volumes) {
  for (const PendingDelete& pending : pending_deletes(state)) {
    const bool is_taken = std::any_of(volumes.begin(), volumes.end(), [&](const VolumeRecord& volume) { return volume.name == pending.volume.name; });
    if (!is_taken) continue;
    return Error(ErrorCode::in_use, fmt::format("{} still has a copy of the {} that was deleted while it was away", pending.node.str(), pending.volume.name.str()))
        .with_safe("nothing was changed")
        .with_next(fmt::format("hvctl storage list-orphans, which says why; {} removes it by itself when it is back, unless it was written to apart. Or use another name", pending.node.str()));
  }
  return success();
}

Status check_numbers_are_free(const ClusterState& state, const Facts& facts) {
  const std::vector<VolumeRecord> volumes = state.volumes();
  for (const PendingDelete& pending : pending_deletes(state)) {
    const auto node = facts.find(pending.node.str());
    if (node == facts.end() || !node->second.volumes.contains(pending.volume.name.str())) continue;
    const auto has_both = [&pending](const VolumeRecord& volume) { return volume.minor == pending.volume.minor && volume.port == pending.volume.port; };
    if (std::any_of(volumes.begin(), volumes.end(), has_both)) continue;
    return Error(ErrorCode::busy, fmt::format("{} still has {} in DRBD, which was deleted while it was away, and a new disk would get its numbers", pending.node.str(), pending.volume.name.str()))
        .with_safe("nothing was changed")
        .with_next("hvctl storage list-orphans shows what it waits for; else the same command again in a minute");
  }
  return success();
}

Error no_volume_group(const NodeFacts& facts, const std::string& volume_group, std::string next) {
  const std::string& node = facts.name.str();
  if (!facts.volume_groups_unknown) {
    return Error(ErrorCode::pool_missing, fmt::format("there is no volume group {} on {}", volume_group, node)).with_safe("nothing was changed").with_next(std::move(next));
  }
  const Error& why = *facts.volume_groups_unknown;
  const std::string help = why.next().empty() ? "vgs" : why.next();
  return Error(why.code(), fmt::format("LVM on {} does not say whether there is a volume group {}: {}", node, volume_group, why.message()))
      .with_safe("nothing was changed")
      .with_next(fmt::format("on {}: {}; then the same command again", node, help));
}

Result<Plan> create_vm(const ClusterState& state, const Facts& facts, const NodeName& here, const requests::CreateVm& request, const VmIdentity& identity) {
  if (state.find(Kind::vm, request.name.str()) != nullptr) {
    return Error(ErrorCode::already_exists, fmt::format("there is a VM named {} already", request.name.str())).with_next(fmt::format("hvctl vm info {}", request.name.str()));
  }
  const NodeName owner = request.node.value_or(here);
  MCV_TRY(const NodeRecord owner_record, state.node(owner));
  VmRecord vm;
  vm.name = request.name;
  vm.uuid = identity.uuid;
  vm.cpus = request.cpus;
  vm.memory = request.memory;
  vm.boot = request.boot;
  vm.hypervisor = request.hypervisor;
  vm.owner = owner_record.name;
  vm.autostart = request.autostart;
  for (std::size_t index = 0; index < request.networks.size(); ++index) {
    MCV_CHECK(state.network(request.networks[index]));
    vm.nics.push_back({request.networks[index], identity.macs.at(index)});
  }
  if (const auto owner_facts = facts.find(owner.str()); owner_facts != facts.end()) {
    MCV_CHECK(check_boot_files(request.boot, owner_facts->second));
  }

  Plan plan = plan_for(request.name, "vm-create", fmt::format("create {}", request.name.str()));
  if (request.disks.empty()) {
    plan.steps.push_back(record(here, {put_new(vm)}, fmt::format("record {} in the configuration", vm.name.str())));
    return plan;
  }
  if (request.storage_type == VolumeKind::drbd) {
    MCV_CHECK(check_replication(state));
  }
  MCV_TRY(const PoolRecord pool, choose_pool(state, request));
  const std::vector<NodeName> nodes = sides(state, request.storage_type, owner);
  MCV_CHECK(check_sides(pool, facts, nodes));
  std::vector<VolumeRecord> volumes = volumes_for(request, pool, owner);
  for (VolumeRecord& volume : volumes) volume.verdict.wall_seconds = identity.wall_seconds;
  MCV_CHECK(check_no_remains(state, volumes));
  if (request.storage_type == VolumeKind::drbd) {
    MCV_CHECK(check_numbers_are_free(state, facts));
  }
  std::vector<Mutation> mutations;
  for (const VolumeRecord& volume : volumes) {
    vm.volumes.push_back(volume.name);
    mutations.push_back(put_new(volume));
  }
  mutations.push_back(put_new(vm));
  plan.steps.push_back(record(here, std::move(mutations), fmt::format("record {} and its disks in the configuration", vm.name.str())));
  for (const VolumeRecord& volume : volumes) add_volume_steps(plan, {volume, 0}, nodes, owner);
  return plan;
}

Result<Plan> delete_vm(const ClusterState& state, const Facts& facts, const VmName& name, const std::optional<AbsentNode>& absent) {
  MCV_TRY(VmRecord vm, state.vm(name));
  MCV_CHECK(check_lock(vm, VmUse::remove));
  if (vm.delete_protection) {
    return Error(ErrorCode::vm_locked, fmt::format("{} is protected against deletion", name.str()))
        .with_safe("nothing was deleted")
        .with_next(fmt::format("hvctl vm update {} --delete-protection off", name.str()));
  }
  for (const auto& [node, node_facts] : facts) {
    const auto found = node_facts.vms.find(name.str());
    if (found == node_facts.vms.end() || found->second.state == RunState::stopped) continue;
    return Error(ErrorCode::guest_running, fmt::format("{} is {} on {}", name.str(), to_text(found->second.state), node))
        .with_safe("nothing was deleted")
        .with_next(fmt::format("hvctl vm stop {}", name.str()));
  }
  Plan plan = plan_for(name, "vm-delete", fmt::format("delete {} and its disks", name.str()));
  NodeName coordinator = vm.owner;
  for (const NodeRecord& node : state.nodes()) {
    if (absent && vm.owner == absent->name && node.name != absent->name) coordinator = node.name;
  }
  // Locked or protected after this was planned, it stays. Repeated after a crash, neither can have come: what is being deleted takes no change.
  plan.steps.push_back(record(coordinator, {patch(Kind::vm, name.str(), {{"deleting", true}}, as_seen(state, name, {"owner", "uuid", "lock", "delete_protection"}))}, fmt::format("mark {} as being deleted", name.str()), /*commits=*/true));
  std::vector<Mutation> erasures;
  std::string kept_there;  // for whoever looks at the operation
  for (const VolumeRecord& volume : state.volumes_of(vm)) {
    for (const NodeName& node : sides(state, volume.kind, NodeName::trusted(volume.node))) {
      if (!absent || node != absent->name) {
        plan.steps.push_back(volume_remove(node, {volume, std::nullopt}));
        continue;
      }
      MCV_TRY(const PendingDelete kept, kept_by(state, volume, *absent));
      erasures.push_back(remember_delete(kept));
      kept_there = fmt::format("; {} removes what it still has when it is back", absent->name.str());
    }
    erasures.push_back(erase(Kind::volume, volume.name.str()));
  }
  for (const NodeRecord& node : state.nodes()) {
    if (absent && node.name == absent->name) continue;
    plan.steps.push_back(guest_release(node.name, vm));
    plan.steps.push_back(guest_forget(node.name, name));
  }
  erasures.push_back(erase(Kind::vm, name.str()));
  // Given after this was planned, a role holds for nothing any more: it names the VM's uuid.
  for (const GrantRecord& grant : grants(state)) {
    if (grant.vm && grant.vm->name == name) erasures.push_back(erase(Kind::setting, grant.key()));
  }
  plan.steps.push_back(record(coordinator, std::move(erasures), fmt::format("remove {} from the configuration{}", name.str(), kept_there)));
  return plan;
}

Result<Plan> start_vm(const ClusterState& state, const VmName& name, GateRule gate) {
  MCV_TRY(const VmRecord vm, usable_vm(state, name, VmUse::start));
  Plan plan = plan_for(name, "vm-start", fmt::format("start {} on {}", name.str(), vm.owner.str()));
  const std::vector<VolumeRecord> volumes = state.volumes_of(vm);
  std::vector<Mutation> mutations;
  for (const VolumeRecord& volume : volumes) {
    if (volume.kind != VolumeKind::drbd || volume.last_primary == vm.owner.str()) continue;
    mutations.push_back(patch(Kind::volume, volume.name.str(), {{"last_primary", vm.owner.str()}}));
  }
  if (!mutations.empty()) plan.steps.push_back(record(vm.owner, std::move(mutations), fmt::format("record {} as last Primary", vm.owner.str())));
  for (const VolumeRecord& volume : volumes) {
    if (volume.kind == VolumeKind::drbd) plan.steps.push_back(volume_primary(vm.owner, {volume, std::nullopt}));
  }
  plan.steps.push_back(guest_start(vm.owner, vm, volumes, gate));
  return plan;
}

Result<Plan> stop_vm(const ClusterState& state, const VmName& name, const requests::StopVm& request) {
  MCV_TRY(const VmRecord vm, usable_vm(state, name, VmUse::stop));
  Plan plan = plan_for(name, "vm-stop", fmt::format("stop {}", name.str()));
  plan.steps.push_back(guest_stop(vm.owner, name, request.timeout_seconds));
  add_release_steps(plan, state, vm, vm.owner);
  return plan;
}

Result<Plan> kill_vm(const ClusterState& state, const VmName& name) {
  MCV_TRY(const VmRecord vm, usable_vm(state, name, VmUse::kill));
  Plan plan = plan_for(name, "vm-kill", fmt::format("kill {}", name.str()));
  plan.steps.push_back(guest_kill(vm.owner, name));
  add_release_steps(plan, state, vm, vm.owner);
  return plan;
}

Result<Plan> reset_vm(const ClusterState& state, const VmName& name) {
  MCV_TRY(const VmRecord vm, usable_vm(state, name, VmUse::reset));
  Plan plan = plan_for(name, "vm-reset", fmt::format("reset {}", name.str()));
  plan.steps.push_back(guest_reset(vm.owner, name));
  return plan;
}

Result<Plan> take_over_vm(const ClusterState& state, const VmName& name, const NodeName& here, GateRule gate) {
  MCV_TRY(VmRecord vm, usable_vm(state, name, VmUse::start));
  Plan plan = plan_for(name, "vm-takeover", fmt::format("take {} over from {} and start it on {}", name.str(), vm.owner.str(), here.str()));
  const std::vector<VolumeRecord> volumes = state.volumes_of(vm);
  plan.steps.push_back(vm_take_over(here, vm, volumes));
  for (const VolumeRecord& volume : volumes) {
    if (volume.kind == VolumeKind::drbd) plan.steps.push_back(volume_primary(here, {volume, std::nullopt}));
  }
  vm.owner = here;
  plan.steps.push_back(guest_start(here, vm, volumes, gate));
  return plan;
}

Result<Plan> release_vm(const ClusterState& state, const VmName& name, const NodeName& where) {
  MCV_TRY(const VmRecord vm, state.vm(name));
  MCV_CHECK(check_lock(vm, VmUse::release));
  Plan plan = plan_for(name, "vm-release", fmt::format("{} turned itself off", name.str()));
  add_release_steps(plan, state, vm, where);
  return plan;
}

VmUse use_of_retry(const std::string& kind) {
  if (kind == "vm-release") return VmUse::release;
  if (kind == "vm-lost") return VmUse::end_lost;
  return kind == "resync-follow" ? VmUse::follow_resync : VmUse::retry;
}

bool releases_guest(const std::string& kind) {
  static const std::set<std::string> kinds = {"vm-stop", "vm-kill", "vm-migrate", "vm-release", "vm-lost", "vm-delete"};
  return kinds.contains(kind);
}

Result<Plan> end_lost_vm(const ClusterState& state, const VmName& name, const NodeName& where) {
  MCV_TRY(const VmRecord vm, state.vm(name));
  MCV_CHECK(check_lock(vm, VmUse::end_lost));
  Plan plan = plan_for(name, "vm-lost", fmt::format("end {} on {}: {} took it over", name.str(), where.str(), vm.owner.str()));
  plan.steps.push_back(guest_kill(where, name));
  add_release_steps(plan, state, vm, where);
  return plan;
}

Result<Plan> stop_for_leave(const ClusterState& state, const VmName& name, const NodeName& where, std::optional<std::uint32_t> patience_seconds) {
  MCV_TRY(const VmRecord vm, state.vm(name));
  MCV_CHECK(check_lock(vm, VmUse::leave));
  Plan plan = plan_for(name, patience_seconds ? "vm-stop" : "vm-kill", fmt::format("stop {}: {} is shut down", name.str(), where.str()));
  plan.steps.push_back(patience_seconds ? guest_stop(where, name, *patience_seconds) : guest_kill(where, name));
  add_release_steps(plan, state, vm, where);
  return plan;
}

bool breaks_lock(const VmRecord& vm, const requests::UpdateVm& request, const std::string& user) { return request.unlock && vm.lock && vm.lock->by != user; }

std::string update_summary(const VmRecord& before, const requests::UpdateVm& request) {
  std::vector<std::string> words;
  const auto on_off = [](bool value) { return value ? "on" : "off"; };
  if (request.unlock) words.push_back(before.lock ? fmt::format("lock of {} taken off ({})", before.lock->by, before.lock->reason) : "was not locked");
  if (request.cpus) words.push_back(fmt::format("cpus {} -> {}", before.cpus, *request.cpus));
  if (request.memory) words.push_back(fmt::format("memory {} -> {}", before.memory.to_text(), request.memory->to_text()));
  if (request.autostart) words.push_back(fmt::format("autostart {}", on_off(*request.autostart)));
  if (request.delete_protection) words.push_back(fmt::format("delete protection {}", on_off(*request.delete_protection)));
  if (request.boot) {
    const std::pair<const char*, bool> files[] = {{"kernel", request.boot->kernel.has_value()},
                                                  {"initramfs", request.boot->initramfs.has_value()},
                                                  {"cmdline", request.boot->cmdline.has_value()},
                                                  {"firmware", request.boot->firmware.has_value()}};
    for (const auto& [name, is_named] : files) {
      if (is_named) words.push_back(fmt::format("another {}", name));
    }
  }
  if (request.lock_reason) words.push_back(fmt::format("locked ({})", *request.lock_reason));
  return fmt::format("{} updated: {}", before.name.str(), words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, ", ")));
}

Result<Mutation> update_vm(const ClusterState& state, const VmName& name, const requests::UpdateVm& request, const Updater& by) {
  MCV_TRY(const VmRecord vm, state.vm(name));
  if (vm.deleting) return half_deleted(vm);
  MCV_CHECK(check_lock(vm, request.unlock ? VmUse::unlock : VmUse::update));
  if (breaks_lock(vm, request, by.user) && request.lock_owner != vm.lock->by) {
    return Error(ErrorCode::not_confirmed, lock_text(vm))
        .with_safe(fmt::format("{} stays locked; nothing was changed", name.str()))
        .with_next(fmt::format("hvctl vm update {} --unlock asks to type whose lock it is", name.str()));
  }
  // What a lock refuses, a lock that came meanwhile refuses, too.
  std::vector<const char*> unchanged = {"uuid", "deleting", "lock"};
  Json fields = Json::object();
  if (request.unlock) fields["lock"] = nullptr;
  if (request.lock_reason) fields["lock"] = to_json(LockRecord{by.user, *request.lock_reason, by.wall_seconds});
  if (request.cpus) fields["cpus"] = *request.cpus;
  if (request.memory) fields["memory"] = request.memory->count();
  if (request.autostart) fields["autostart"] = *request.autostart;
  if (request.delete_protection) fields["delete_protection"] = *request.delete_protection;
  if (request.boot) {
    MCV_TRY(const BootRecord boot, requests::changed(vm.boot, *request.boot));
    // What may go together was asked of all of them.
    unchanged.push_back("boot");
    fields["boot"] = to_json(boot);
  }
  return patch(Kind::vm, name.str(), std::move(fields), as_seen(state, name, unchanged));
}

}  // namespace mcv::plans
