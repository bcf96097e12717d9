// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/judge.h"

#include <algorithm>

#include "cluster/core/json_value.h"
#include "cluster/plans/verify_plan.h"
#include "daemon/node/node.h"

namespace mcv::routes {
namespace {

/// Its start, whatever a verify said, is allowed to few.
bool overrides_verify(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [](const PlannedStep& step) { return value_in(step.params, "gate_overridden", false); });
}

}  // namespace

Status judge(const Node& node, const api::Caller& caller, const api::Need& need) {
  return access::may(node.shared.current(), api::identity_of(caller), need.permission, need.scope).to_status();
}

Status require(const Node& node, api::ApiCall& call, access::Permission permission, access::Scope scope) {
  api::Need need{permission, std::move(scope)};
  MCV_CHECK(judge(node, call.caller, need));
  call.needs.push_back(std::move(need));
  return success();
}

Status still_may(const Node& node, const api::ApiCall& call) {
  for (const api::Need& need : call.needs) {
    MCV_CHECK(judge(node, call.caller, need));
  }
  return success();
}

access::Sight sight_of(const Node& node, const api::ApiCall& call, access::Permission permission) {
  return access::Sight(node.shared.current(), api::identity_of(call.caller), permission);
}

AuditRow row_of(const Node& node, const api::Caller& caller, bool forwarded, const api::AuditSlip& slip) {
  const auto peer = node.peer_record();
  AuditRow row;
  row.user = api::who(caller);
  row.entered = forwarded && peer ? peer->name.str() : node.self().str();
  row.node = node.self().str();
  row.action = slip.action;
  row.request = slip.request;
  row.vms = slip.vms;
  row.text = slip.text;
  return row;
}

std::vector<access::Scope> scopes_of(const Plan& plan) {
  std::vector<access::Scope> scopes;
  if (plan.object.starts_with("vm/")) scopes.push_back(access::Scope::vm(VmName::trusted(plan.object.substr(3))));
  if (plan.kind == plans::verify_kind) {
    for (VmName& name : plans::vms_compared(plan)) scopes.push_back(access::Scope::vm(std::move(name)));
  }
  if (scopes.empty()) scopes.push_back(access::Scope::cluster());
  return scopes;
}

void note_plan(const api::ApiCall& call, const Plan& plan) {
  if (!call.audit) return;
  call.audit->text = plan.summary + (call.audit->text.empty() ? "" : "; " + call.audit->text);
  std::vector<std::string>& vms = call.audit->vms;
  for (const access::Scope& scope : scopes_of(plan)) {
    const VmName* vm = scope.vm();
    if (vm != nullptr && std::find(vms.begin(), vms.end(), vm->str()) == vms.end()) vms.push_back(vm->str());
  }
}

Status may_see(const Node& node, const api::Caller& caller, const Plan& plan) {
  const access::Identity identity = api::identity_of(caller);
  const bool began_it = identity.name && plan.asked_by == identity.name->str() && has_user(node.shared.current(), *identity.name);
  if (began_it) return success();
  for (access::Scope& scope : scopes_of(plan)) {
    MCV_CHECK(judge(node, caller, {access::Permission::operation_show, std::move(scope)}));
  }
  return success();
}

Status require_like(const Node& node, api::ApiCall& call, access::Permission permission, const Plan& plan) {
  const access::Permission begun = access::permission_of_operation(plan.kind).value_or(access::Permission::cluster_update);
  for (const access::Scope& scope : scopes_of(plan)) {
    MCV_CHECK(require(node, call, permission, scope));
    MCV_CHECK(require(node, call, begun, scope));
    if (overrides_verify(plan)) {
      MCV_CHECK(require(node, call, access::Permission::vm_override_verify, scope));
    }
  }
  return success();
}

}  // namespace mcv::routes
