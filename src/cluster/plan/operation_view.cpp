// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operation_view.h"

#include <fmt/format.h>

#include "cluster/core/problem.h"

namespace mcv {

OperationView view_of(const OperationState& state) {
  OperationView view;
  const Plan& plan = state.plan();
  view.id = plan.id;
  view.kind = plan.kind;
  view.object = plan.object;
  view.summary = plan.summary;
  view.asked_by = plan.asked_by;
  view.started_wall = state.started_wall();
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlannedStep& step = plan.steps[i];
    view.steps.push_back({step.action, step.node, state.step(i), step.text.empty() ? step.action : step.text});
    if (!state.results()[i].is_null()) view.result = state.results()[i];
  }
  const Move next = state.next_move();
  if (const auto* finished = std::get_if<move::Finished>(&next)) view.outcome = finished->outcome;
  if (state.undoing() && !view.outcome) view.progress = "undoing";
  view.error = state.error();
  view.superseded = state.superseded();
  if (view.superseded && view.error) view.error = Error(*view.error).with_next("nothing has to be done with it: a later operation took its object");
  return view;
}

Json OperationView::to_json() const {
  Json list = Json::array();
  for (const StepView& step : steps) {
    list.push_back({{"action", step.action}, {"node", step.node.str()}, {"state", to_text(step.state)}, {"text", step.text}});
  }
  Json json = {{"id", id.str()},
               {"kind", kind},
               {"object", object},
               {"summary", summary},
               {"state", outcome ? to_text(*outcome) : std::string_view("running")},
               {"started_wall", started_wall},
               {"steps", list},
               {"progress", {{"percent", nullptr}, {"text", progress}}},
               {"result", result},
               {"error", nullptr}};
  if (percent) json["progress"]["percent"] = *percent;
  if (error) {
    // Whoever reads it hears what is safe and what to type, also where the step that failed had nothing to say of it.
    Json& problem = json["error"] = to_problem(*error);
    if (!problem.contains("safe")) problem["safe"] = fmt::format("every step of it is as hvctl op show {} lists it", id.str());
    if (!problem.contains("next")) problem["next"] = fmt::format("hvctl op show {}", id.str());
  }
  return json;
}

}  // namespace mcv
