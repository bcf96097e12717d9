// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_list_snapshots(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/snapshots"));
  const int code = list_at(answer, "silent").empty() ? 0 : exit_partial;
  if (session.json()) {
    session.print(answer);
    return code;
  }
  Table table({"NAME", "NODE", "DISK", "SIZE", "VOLUME GROUP", "MADE BY"});
  for (const Json& snapshot : list_at(answer, "snapshots")) {
    if (session.globals().quiet) session.out() << text_at(snapshot, "name") << '\n';
    table.add({text_at(snapshot, "name"), text_at(snapshot, "node"), text_at(snapshot, "volume"), size_text(number_at(snapshot, "size")), text_at(snapshot, "volume_group"),
               text_at(snapshot, "operation")});
  }
  if (!session.globals().quiet) {
    if (table.empty()) session.out() << "No repair keeps what it overwrote.\n";
    else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  }
  for (const Json& node : list_at(answer, "silent")) session.err() << fmt::format("{} does not answer: what it keeps is not shown.\n", printable(node.get<std::string>()));
  return code;
}

}  // namespace

Command storage_list_snapshots() {
  return {.name = "storage list-snapshots",
          .summary = "show the copies that repairs have overwritten, on both nodes",
          .details = "A repair (hvctl resync) takes an LVM snapshot of the side that it overwrites. The next clean verify of the disk deletes it, and so does deleting the VM. Exit code 22 when the other node does not answer.",
          .routes = {{"GET", "/v1/snapshots"}},
          .examples = {"hvctl storage list-snapshots"},
          .run = run_storage_list_snapshots};
}

}  // namespace mcv::cli::commands
