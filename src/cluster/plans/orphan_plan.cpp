// SPDX-License-Identifier: Apache-2.0
#include "cluster/plans/orphan_plan.h"

#include <fmt/format.h>

namespace mcv::plans {

namespace {

/// Its data is not there any more.
void add_forget(Plan& plan, const PendingDelete& pending, bool vm_is_gone) {
  const std::string& name = pending.volume.name.str();
  if (vm_is_gone) plan.steps.push_back(guest_forget(pending.node, pending.volume.vm));
  plan.steps.push_back(record(pending.node, {forget_delete(pending.node, pending.volume.name)}, fmt::format("forget that {} was still to be removed", name), /*commits=*/true));
}

}  // namespace

Plan delete_orphan(const ClusterState& state, const NodeName& node, const std::string& name, const std::vector<std::string>& made_by, const std::vector<std::string>& parts) {
  Plan plan;
  plan.kind = "orphan-delete";
  plan.object = fmt::format("orphan/{}/{}", node.str(), name);
  plan.summary = fmt::format("remove {} on {}, which belongs to nothing", name, node.str());
  // "mcv-vm1-0" is a disk of vm1, whether or not there is one.
  const std::size_t dash = name.rfind('-');
  const std::string vm = name.starts_with("mcv-") && dash > 4 ? name.substr(4, dash - 4) : name;
  plan.locks = {{"vm/" + vm, false}, {plan.object, false}};
  plan.steps.push_back(orphan_remove(node, name, made_by, parts));
  for (const PendingDelete& pending : pending_deletes(state)) {
    if (pending.node == node && pending.volume.resource() == name) add_forget(plan, pending, !state.vm(pending.volume.vm).ok());
  }
  return plan;
}

Plan late_delete(const PendingDelete& pending, bool vm_is_gone) {
  const std::string& name = pending.volume.name.str();
  Plan plan;
  plan.kind = "late-delete";
  plan.object = fmt::format("orphan/{}/{}", pending.node.str(), pending.volume.resource());
  plan.summary = fmt::format("remove {}, which was deleted while {} was away", name, pending.node.str());
  plan.locks = {{"vm/" + pending.volume.vm.str(), false}, {plan.object, false}};
  plan.steps.push_back(orphan_remove_deleted(pending));
  add_forget(plan, pending, vm_is_gone);
  return plan;
}

}  // namespace mcv::plans
