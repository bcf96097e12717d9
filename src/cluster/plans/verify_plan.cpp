// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/verify_plan.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "cluster/core/json_value.h"
#include "cluster/model/verify_policy.h"
#include "cluster/model/vm_lock.h"
#include "cluster/plans/steps.h"

namespace mcv::plans {
namespace {

bool is_replicated(const VolumeRecord& volume) { return volume.kind == VolumeKind::drbd; }

/// One step a volume, as the VMs come; or steps of several whose sizes are near each other, so that none waits long for the rest.
void add_steps(Plan& plan, const NodeName& here, std::vector<VolumeRecord> volumes, unsigned at_once, const std::string& asked_by) {
  if (at_once <= 1) {
    for (const VolumeRecord& volume : volumes) plan.steps.push_back(volume_verify(here, volume, asked_by));
    return;
  }
  std::stable_sort(volumes.begin(), volumes.end(), [](const VolumeRecord& one, const VolumeRecord& other) { return one.size > other.size; });
  for (std::size_t first = 0; first < volumes.size(); first += at_once) {
    const std::size_t last = std::min<std::size_t>(first + at_once, volumes.size());
    std::vector<VolumeRecord> batch(volumes.begin() + static_cast<std::ptrdiff_t>(first), volumes.begin() + static_cast<std::ptrdiff_t>(last));
    plan.steps.push_back(verify_together(here, batch, asked_by));
  }
}

/// What a step of a verify compares; nothing for the summary.
std::set<std::string> volumes_of(const PlannedStep& step) {
  std::set<std::string> names;
  if (!step.params.is_object()) return names;
  if (step.params.contains("volume")) names.insert(value_in(step.params.at("volume"), "name", ""));
  if (step.params.contains("volumes") && step.params.at("volumes").is_array()) {
    for (const Json& volume : step.params.at("volumes")) names.insert(value_in(volume, "name", ""));
  }
  return names;
}

std::set<std::string> volumes_of(const Plan& plan) {
  std::set<std::string> names;
  for (const PlannedStep& step : plan.steps) names.merge(volumes_of(step));
  return names;
}

void add_vm_of(const Json& volume, std::set<VmName>& names) {
  const std::string name = value_in(volume, "vm", "");
  if (!name.empty()) names.insert(VmName::trusted(name));
}

bool answers(const OperationState& running, const std::set<std::string>& wanted, bool scheduled) {
  if (running.cancel_requested() || running.undoing()) return false;
  std::set<std::string> open = wanted;
  for (std::size_t i = 0; i < running.plan().steps.size(); ++i) {
    const bool is_out = running.step(i) == StepState::done;
    if (is_out && !scheduled) continue;
    for (const std::string& name : volumes_of(running.plan().steps[i])) open.erase(name);
  }
  return open.empty();
}

}  // namespace

std::vector<VmName> vms_compared(const Plan& plan) {
  std::set<VmName> names;
  for (const PlannedStep& step : plan.steps) {
    if (!step.params.is_object()) continue;
    if (step.params.contains("volume")) add_vm_of(step.params.at("volume"), names);
    if (!step.params.contains("volumes") || !step.params.at("volumes").is_array()) continue;
    for (const Json& volume : step.params.at("volumes")) add_vm_of(volume, names);
  }
  return {names.begin(), names.end()};
}

Result<Plan> verify(const ClusterState& state, const NodeName& here, const requests::Verify& request, const std::string& asked_by) {
  std::vector<VmRecord> vms;
  if (request.all) vms = state.vms();
  for (const VmName& name : request.vms) {
    MCV_TRY(VmRecord vm, state.vm(name));
    MCV_CHECK(check_lock(vm, VmUse::verify));
    vms.push_back(std::move(vm));
  }
  Plan plan;
  plan.kind = verify_kind;
  plan.object = "verify";
  plan.summary = request.all ? "verify every replicated volume" : fmt::format("verify {} VMs", vms.size());
  std::vector<VolumeRecord> chosen;
  for (const VmRecord& vm : vms) {
    const std::vector<VolumeRecord> volumes = state.volumes_of(vm);
    if (!request.all && std::none_of(volumes.begin(), volumes.end(), is_replicated)) {
      return Error(ErrorCode::bad_request, fmt::format("{} has no replicated disk; there is nothing to compare", vm.name.str())).with_next(fmt::format("hvctl vm info {}", vm.name.str()));
    }
    std::copy_if(volumes.begin(), volumes.end(), std::back_inserter(chosen), is_replicated);
  }
  if (chosen.empty()) return Error(ErrorCode::not_found, "there is no replicated volume to verify").with_next("hvctl vm list");
  add_steps(plan, here, std::move(chosen), verify_policy(state).parallel, asked_by);
  plan.steps.push_back(verify_summary(here));
  // A verify does not stand in the way of a guest's start or stop. Several wait for their turn in the order they came; what changes
  // the members and their copies keeps all of them out.
  plan.locks = {{"verify", true}};
  return plan;
}

std::optional<OperationId> verify_to_join(const std::vector<OperationState>& unfinished, const Plan& wanted, bool scheduled) {
  const std::set<std::string> names = volumes_of(wanted);
  for (const OperationState& running : unfinished) {
    if (answers(running, names, scheduled)) return running.plan().id;
  }
  return std::nullopt;
}

std::optional<OperationId> verify_before(const std::vector<OperationState>& unfinished, const OperationId& own) {
  if (unfinished.empty() || unfinished.front().plan().id == own) return std::nullopt;
  return unfinished.front().plan().id;
}

}  // namespace mcv::plans
