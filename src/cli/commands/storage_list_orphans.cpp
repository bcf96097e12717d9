// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_list_orphans(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/orphans"));
  const Json& silent = list_at(answer, "silent");
  const int exit_code = silent.empty() ? 0 : exit_partial;
  if (session.json()) {
    session.print(answer);
    return exit_code;
  }
  Table table({"NODE", "NAME", "KIND", "SIZE", "SINCE", "WHY"});
  Json hints = Json::array();
  for (const Json& orphan : list_at(answer, "orphans")) {
    if (session.globals().quiet) session.out() << text_at(orphan, "name") << '\n';
    const bool has_time = orphan.contains("since") && orphan["since"].is_number_integer();
    const Json& used = list_at(orphan, "in_use");
    const bool is_used = !used.empty();
    table.add({text_at(orphan, "node"), text_at(orphan, "name"), text_at(orphan, "kind"), size_text(number_at(orphan, "size")), has_time ? ago_text(orphan["since"].get<std::int64_t>()) : "-",
               text_at(orphan, "why") + (is_used ? " (in use)" : "")});
    hints.push_back({{"text", fmt::format("{} on {}: {}", text_at(orphan, "name"), text_at(orphan, "node"), joined(list_at(orphan, "parts")))}, {"next", text_at(orphan, "next")}});
  }
  if (session.globals().quiet) return exit_code;
  if (table.empty()) session.out() << "Nothing that belongs to nothing.\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  for (const Json& one : list_at(answer, "unsure")) {
    hints.push_back({{"text", fmt::format("on {} some of it may belong to something after all: {}", text_at(one, "node"), text_at(one, "why"))}, {"next", "hvctl info; hvctl op list"}});
  }
  for (const Json& node : silent) hints.push_back({{"text", fmt::format("{} does not answer: what lies around there is not shown", printable(node.is_string() ? node.get<std::string>() : ""))}, {"next", "hvctl info"}});
  print_warnings(session, hints);
  return exit_code;
}

}  // namespace

Command storage_list_orphans() {
  return {.name = "storage list-orphans",
          .summary = "show what mcv left on either node and no VM, pool or operation has",
          .details = "Logical volumes with mcv's names or tags, DRBD resource files, and resources in the kernel that belong to no record of the configuration and to no operation. Nothing "
                     "of it is ever removed by itself. Copies in quarantine and snapshots of repairs are listed, too, with the commands that delete them. SINCE is the age of the logical "
                     "volume. Exit code 22 when the other node does not answer.",
          .routes = {{"GET", "/v1/orphans"}},
          .examples = {"hvctl storage list-orphans"},
          .run = run_storage_list_orphans};
}

}  // namespace mcv::cli::commands
