// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/plan.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv {
namespace {

Json steps_to_json(const std::vector<PlannedStep>& steps) {
  Json list = Json::array();
  for (const PlannedStep& step : steps) {
    list.push_back({{"action", step.action}, {"node", step.node.str()}, {"params", step.params}, {"commits", step.commits}, {"text", step.text}});
  }
  return list;
}

Result<PlannedStep> step_from_json(const Json& json) {
  Fields fields(json, "plan.step");
  PlannedStep step;
  step.action = fields.required<std::string>("action");
  step.node = NodeName::trusted(fields.required<std::string>("node"));
  if (const Json* params = fields.object("params", false)) step.params = *params;
  step.commits = fields.optional_or("commits", false);
  step.text = fields.optional_or<std::string>("text", "");
  MCV_CHECK(fields.finish_lenient());
  return step;
}

Result<LockNeed> lock_from_json(const Json& json) {
  Fields fields(json, "plan.lock");
  LockNeed need;
  need.object = fields.required<std::string>("object");
  need.shared = fields.optional_or("shared", false);
  MCV_CHECK(fields.finish_lenient());
  return need;
}

}  // namespace

std::vector<LockNeed> Plan::lock_needs() const {
  if (!locks.empty()) return locks;
  return {LockNeed{object, false}};
}

Status Plan::check() const {
  const auto defect = [&](std::string_view what) { return Error(ErrorCode::internal, fmt::format("the plan of {} {}", kind, what)); };
  if (kind.empty() || object.empty()) return defect("has no kind or object");
  if (steps.empty()) return defect("has no steps");
  if (std::count_if(steps.begin(), steps.end(), [](const PlannedStep& step) { return step.commits; }) > 1) return defect("has two committing steps");
  for (const PlannedStep& step : steps) {
    if (step.action.empty() || step.node.empty() || !step.params.is_object()) return defect("has a step without action, node or params");
  }
  return success();
}

Json Plan::to_json() const {
  Json lock_list = Json::array();
  for (const LockNeed& need : locks) lock_list.push_back({{"object", need.object}, {"shared", need.shared}});
  Json json = {{"id", id.str()}, {"kind", kind}, {"object", object}, {"summary", summary}, {"steps", steps_to_json(steps)}, {"locks", lock_list}};
  if (!asked_by.empty()) json["asked_by"] = asked_by;
  return json;
}

Result<Plan> Plan::from_json(const Json& json) {
  Fields fields(json, "plan");
  Plan plan;
  plan.id = OperationId::trusted(fields.required<std::string>("id"));
  plan.kind = fields.required<std::string>("kind");
  plan.object = fields.required<std::string>("object");
  plan.summary = fields.optional_or<std::string>("summary", "");
  const Json* steps = fields.array("steps");
  const Json* locks = fields.array("locks", false);
  plan.asked_by = fields.optional_or<std::string>("asked_by", "");
  MCV_CHECK(fields.finish_lenient());
  for (const Json& item : *steps) {
    MCV_TRY(PlannedStep step, step_from_json(item));
    plan.steps.push_back(std::move(step));
  }
  if (locks != nullptr) {
    for (const Json& item : *locks) {
      MCV_TRY(LockNeed need, lock_from_json(item));
      plan.locks.push_back(std::move(need));
    }
  }
  return plan;
}

std::string to_text(const Plan& plan) {
  std::size_t width = 0;
  for (const PlannedStep& step : plan.steps) width = std::max(width, step.node.str().size());
  std::string text = plan.summary + "\n";
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    text += fmt::format("{:>3}. {:<{}}  {}{}\n", i + 1, step.node.str(), width, step.text.empty() ? step.action : step.text,
                        step.commits ? "  (from here on it is completed, not undone)" : "");
  }
  return text;
}

Json dry_run_json(const Plan& plan) {
  Json list = Json::array();
  for (const PlannedStep& step : plan.steps) {
    list.push_back({{"step", step.action}, {"node", step.node.str()}, {"text", step.text.empty() ? step.action : step.text}});
  }
  return list;
}

}  // namespace mcv
