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
  const int code = list_at(answer, "silent").empty() ? 0 : exit_partial;
  if (session.json()) {
    session.print(answer);
    return code;
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
  for (const Json& node : list_at(answer, "silent")) {
    if (node.is_string()) session.err() << fmt::format("{} does not answer: its operations are not shown.\n", printable(node.get<std::string>()));
  }
  if (session.globals().quiet) return code;
  if (table.empty()) session.out() << "No operations.\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return code;
}

}  // namespace

Command op_list() {
  return {.name = "op list",
          .summary = "show running and recent operations of both nodes",
          .details = "Exit code 22 when the other node does not answer, unless it left in order.",
          .also = {"op ls"},
          .routes = {{"GET", "/v1/operations"}},
          .examples = {"hvctl op list"},
          .run = run_op_list};
}

}  // namespace mcv::cli::commands
