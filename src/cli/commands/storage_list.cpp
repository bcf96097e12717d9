// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

/// At 80 % a pool wants attention, at 90 % new disks are refused.
Cell fill_cell(const Json& place, const char* key) {
  if (!place.contains(key) || !place.at(key).is_number()) return {"-"};
  const double percent = place.at(key).get<double>();
  return {fmt::format("{:.0f} %", percent), percent >= 90 ? Tone::bad : percent >= 80 ? Tone::warning : Tone::plain};
}

Result<int> run(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/storage"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"POOL", "KIND", "WHERE", "NODE", "PRESENT", "SIZE", "FREE", "DATA", "METADATA"});
  for (const Json& pool : list_at(answer, "pools")) {
    const std::string name = text_at(pool, "name");
    if (session.globals().quiet) session.out() << name << '\n';
    std::string where = text_at(pool, "path");
    if (where.empty()) where = text_at(pool, "volume_group");
    const Json& nodes = list_at(pool, "nodes");
    if (nodes.empty()) table.add({name, text_at(pool, "kind"), where, "-"});
    for (const Json& place : nodes) {
      const std::string present = flag_at(place, "present") ? "yes" : "no";
      table.add({name, text_at(pool, "kind"), where, text_at(place, "node"), Cell(present, tone_of(present)), size_text(number_at(place, "size")),
                 size_text(number_at(place, "free")), fill_cell(place, "data_percent"), fill_cell(place, "metadata_percent")});
    }
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << "No storage pools. Make one: hvctl storage create NAME --vg VG --thin\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command storage_list() {
  return {.name = "storage list",
          .summary = "show the storage pools and how full they are on each node",
          .also = {"storage ls"},
          .routes = {{"GET", "/v1/storage"}},
          .examples = {"hvctl storage list"},
          .run = run};
}

}  // namespace mcv::cli::commands
