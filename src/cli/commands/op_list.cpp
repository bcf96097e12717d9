// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_op_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/operations"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"OPERATION", "STATE", "WHAT", "OBJECT", "PROGRESS"});
  for (const Json& operation : list_at(answer, "operations")) {
    if (session.globals().quiet) session.out() << text_at(operation, "id") << '\n';
    const std::string state = text_at(operation, "state");
    const Json& progress = object_at(operation, "progress");
    std::string text = state == "running" ? text_at(progress, "text") : text_at(object_at(operation, "error"), "detail");
    if (state == "running" && progress.contains("percent") && progress.at("percent").is_number()) text = fmt::format("{} % {}", number_at(progress, "percent"), text);
    std::string summary = text_at(operation, "summary");
    if (summary.empty()) summary = text_at(operation, "kind");
    table.add({text_at(operation, "id"), Cell(state, tone_of(state)), summary, or_dash(text_at(operation, "object")), text});
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << "No operations.\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command op_list() {
  return {.name = "op list",
          .summary = "show running and recent operations",
          .also = {"op ls"},
          .routes = {{"GET", "/v1/operations"}},
          .examples = {"hvctl op list"},
          .run = run_op_list};
}

}  // namespace mcv::cli::commands
