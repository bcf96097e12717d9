// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <set>

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

Cell size_cell(const Json& place, const char* key) { return {place.contains(key) ? size_text(number_at(place, key)) : "-"}; }

/// Absent is what a node said of itself; one that did not say is another matter.
Cell presence_cell(const Json& place) {
  if (!flag_at(place, "answers")) return {"no answer", Tone::warning};
  if (!place.contains("present")) return {"unknown", Tone::warning};
  const std::string present = flag_at(place, "present") ? "yes" : "no";
  return {present, tone_of(present)};
}

bool is_complete(const Json& answer) {
  for (const Json& pool : list_at(answer, "pools")) {
    for (const Json& place : list_at(pool, "nodes")) {
      if (!place.contains("present")) return false;
    }
  }
  return true;
}

/// Each once, however many pools it concerns.
void print_problems(Session& session, const Json& answer) {
  std::set<std::string> said;
  Json warnings = Json::array();
  for (const Json& pool : list_at(answer, "pools")) {
    for (const Json& place : list_at(pool, "nodes")) {
      const std::string problem = text_at(place, "problem");
      if (problem.empty() || !said.insert(problem).second) continue;
      warnings.push_back({{"text", fmt::format("{}: {}", text_at(place, "node"), problem)}, {"next", "hvctl info"}});
    }
  }
  print_warnings(session, warnings);
}

Result<int> run_storage_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/storage"));
  const bool complete = is_complete(answer);
  if (session.json()) {
    session.print(answer);
    return complete ? 0 : exit_partial;
  }
  Table table({"POOL", "KIND", "WHERE", "NODE", "PRESENT", "SIZE", "FREE", "DATA", "METADATA"});
  for (const Json& pool : list_at(answer, "pools")) {
    const std::string name = text_at(pool, "name");
    if (session.globals().quiet) session.out() << name << '\n';
    for (const Json& place : list_at(pool, "nodes")) {
      std::string where = text_at(pool, "path");
      if (where.empty()) where = text_at(place, "volume_group");
      if (where.empty()) where = text_at(pool, "volume_group");
      table.add({name, text_at(pool, "kind"), where, text_at(place, "node"), presence_cell(place), size_cell(place, "size"), size_cell(place, "free"),
                 fill_cell(place, "data_percent"), fill_cell(place, "metadata_percent")});
    }
  }
  if (session.globals().quiet) return complete ? 0 : exit_partial;
  if (table.empty()) session.out() << "No storage pools. Make one: hvctl storage create NAME --vg VG --thin\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  print_problems(session, answer);
  return complete ? 0 : exit_partial;
}

}  // namespace

Command storage_list() {
  return {.name = "storage list",
          .summary = "show the storage pools and how full they are on each node",
          .details = "Exit code 22 when a node did not answer, or could not look at its pools.",
          .also = {"storage ls"},
          .routes = {{"GET", "/v1/storage"}},
          .examples = {"hvctl storage list"},
          .run = run_storage_list};
}

}  // namespace mcv::cli::commands
