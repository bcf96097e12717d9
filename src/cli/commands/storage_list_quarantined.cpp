// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_list_quarantined(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/quarantine"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"NAME", "COPY OF", "SIZE", "VOLUME GROUP", "REMOVED BY"});
  for (const Json& copy : list_at(answer, "copies")) {
    if (session.globals().quiet) session.out() << text_at(copy, "name") << '\n';
    table.add({text_at(copy, "name"), text_at(copy, "volume"), size_text(number_at(copy, "size")), text_at(copy, "volume_group"), text_at(copy, "removal")});
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << fmt::format("No copies in quarantine on {}.\n", text_at(answer, "node"));
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command storage_list_quarantined() {
  return {.name = "storage list-quarantined",
          .summary = "show the copies this node kept when it was removed from a cluster",
          .details = "They are logical volumes under names that no VM, volume or DRBD resource ever has. Nothing starts from them; they take space until they are deleted.",
          .routes = {{"GET", "/v1/quarantine"}},
          .examples = {"hvctl storage list-quarantined"},
          .run = run_storage_list_quarantined};
}

}  // namespace mcv::cli::commands
