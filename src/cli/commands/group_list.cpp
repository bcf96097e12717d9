// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/groups"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"GROUP", "MEMBERS"});
  for (const Json& group : list_at(answer, "groups")) {
    if (session.globals().quiet) session.out() << printable(text_at(group, "name")) << '\n';
    table.add({text_at(group, "name"), joined(list_at(group, "members"))});
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << "No groups. Make one: hvctl group create GROUP\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command group_list() {
  return {.name = "group list",
          .summary = "show the groups and their members",
          .also = {"group ls"},
          .routes = {{"GET", "/v1/groups"}},
          .examples = {"hvctl group list"},
          .run = run_group_list};
}

}  // namespace mcv::cli::commands
