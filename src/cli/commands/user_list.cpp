// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/commands/roles.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_user_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/users"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"USER", "GROUPS", "ROLES"});
  for (const Json& user : list_at(answer, "users")) {
    if (session.globals().quiet) session.out() << printable(text_at(user, "name")) << '\n';
    table.add({text_at(user, "name"), joined(list_at(user, "groups")), or_dash(roles_text(list_at(user, "roles")))});
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << "No users: root alone may do anything. Add one: hvctl user add USER\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command user_list() {
  return {.name = "user list",
          .summary = "show the users, their groups and what they may do",
          .also = {"user ls"},
          .routes = {{"GET", "/v1/users"}},
          .examples = {"hvctl user list"},
          .run = run_user_list};
}

}  // namespace mcv::cli::commands
