// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/problem.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

void print_operation(Session& session, const Json& operation) {
  const std::string state = text_at(operation, "state");
  Facts facts;
  facts.add("Operation", text_at(operation, "id"), Tone::strong);
  facts.add("What", or_dash(text_at(operation, "summary")));
  facts.add("State", state, tone_of(state));
  const std::string progress = text_at(object_at(operation, "progress"), "text");
  if (!progress.empty()) facts.add("Progress", progress);
  session.out() << facts.to_text(session.terminal().width, session.terminal().colour) << '\n';
  Table table({"STEP", "NODE", "STATE", "WHAT"});
  for (const Json& step : list_at(operation, "steps")) {
    const std::string step_state = text_at(step, "state");
    table.add({text_at(step, "action"), or_dash(text_at(step, "node")), Cell(step_state, tone_of(step_state)), text_at(step, "text")});
  }
  if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  if (state != "running") {
    if (const std::optional<Error> error = error_of_operation(operation)) session.out() << '\n' << problem_text(*error, session.terminal().width, session.terminal().colour);
  }
}

Result<int> run_op_show(Session& session, const Arguments& arguments) {
  return session.each_shown(arguments.names(), Completes::operation, "/v1/operations/{id}", [&session](const Json& operation) { print_operation(session, operation); }, [](const Json&) { return 0; });
}

}  // namespace

Command op_show() {
  return {.name = "op show",
          .summary = "show operations with all their steps",
          .operands = {.name = "ID", .min = 1, .max = any_number, .completes = Completes::operation},
          .also = {"op info"},
          .routes = {{"GET", "/v1/operations/{id}"}},
          .examples = {"hvctl op show A-17"},
          .run = run_op_show};
}

}  // namespace mcv::cli::commands
