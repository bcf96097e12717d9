// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/table.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Cell vm_cell(const Json& grant) {
  const std::string vm = text_at(grant, "vm");
  if (vm.empty()) return Cell("everywhere", Tone::plain);
  if (flag_at(grant, "holds")) return Cell(vm, Tone::plain);
  return Cell(vm + " (gone)", Tone::faint);
}

Result<int> run_grant_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/grants"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"TO", "ROLE", "ON"});
  for (const Json& grant : list_at(answer, "grants")) {
    const std::string user = text_at(grant, "user");
    table.add({user.empty() ? "group " + text_at(grant, "group") : user, text_at(grant, "role"), vm_cell(grant)});
  }
  if (table.empty()) session.out() << "No roles were given: root alone may do anything. Give one: hvctl grant add --user USER --role ROLE\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command grant_list() {
  return {.name = "grant list",
          .summary = "show which roles were given to whom",
          .also = {"grant ls"},
          .routes = {{"GET", "/v1/grants"}},
          .examples = {"hvctl grant list"},
          .run = run_grant_list};
}

}  // namespace mcv::cli::commands
