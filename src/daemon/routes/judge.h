// SPDX-License-Identifier: Apache-2.0
// Whether the caller may, by the configuration as it is at that moment: the router asks before a handler runs, handlers ask for
// what only a body or an operation names, and again, before they carry out what took its time.
#pragma once

#include "cluster/access/decision.h"
#include "cluster/model/audit_row.h"
#include "cluster/plan/plan.h"
#include "daemon/api/api_call.h"

namespace mcv {

class Node;

namespace routes {

/// `permission_denied` with the reason, or success.
Status judge(const Node& node, const api::Caller& caller, const api::Need& need);
/// Judges, and has it judged again by `still_may`.
Status require(const Node& node, api::ApiCall& call, access::Permission permission, access::Scope scope);
/// All that the call needs, again: a role may have been taken back since it came in.
Status still_may(const Node& node, const api::ApiCall& call);
/// What the caller sees.
access::Sight sight_of(const Node& node, const api::ApiCall& call, access::Permission permission);

/// The audit's row of a request so far, as this node sees it.
AuditRow row_of(const Node& node, const api::Caller& caller, bool forwarded, const api::AuditSlip& slip);

/// What an operation is about: VMs, or the cluster.
std::vector<access::Scope> scopes_of(const Plan& plan);
/// For the audit: what the operation does, and the VMs it is about.
void note_plan(const api::ApiCall& call, const Plan& plan);
/// Whoever began it sees how it ends, also when nothing is left of what it was about.
Status may_see(const Node& node, const api::Caller& caller, const Plan& plan);
/// To end it or to go on with it takes what it took to begin it.
Status require_like(const Node& node, api::ApiCall& call, access::Permission permission, const Plan& plan);

}  // namespace routes
}  // namespace mcv
