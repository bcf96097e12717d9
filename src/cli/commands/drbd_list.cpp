// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Tone disk_tone(const std::string& disk) { return disk == "up_to_date" || disk == "UpToDate" ? Tone::plain : Tone::warning; }

/// This node's word and the other's, as DRBD's own tools show them.
Cell both(const Json& volume, const char* own, const char* peer) {
  const std::string here = or_dash(text_at(volume, own));
  const std::string there = or_dash(text_at(volume, peer));
  return {fmt::format("{}/{}", here, there), disk_tone(here) == Tone::plain && disk_tone(there) == Tone::plain ? Tone::plain : Tone::warning};
}

Cell connection_cell(const Json& volume) {
  const std::string connection = text_at(volume, "connection");
  const std::string replication = text_at(volume, "replication");
  const std::string suspended = text_at(volume, "suspended");
  if (flag_at(volume, "one_leg")) return {"one leg", Tone::warning};
  std::string text = connection;
  if (!replication.empty() && replication != "established" && replication != "off") text += ", " + replication;
  if (!suspended.empty() && suspended != "no") text += ", I/O held: " + suspended;
  return {text, text == "connected" ? Tone::good : Tone::warning};
}

Result<int> run_drbd_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/drbd"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Json holds = Json::array();
  Table table({"VOLUME", "MINOR", "PORT", "SIZE", "ROLE", "DISKS", "CONNECTION", "OUT OF SYNC", "VERIFIED"});
  for (const Json& volume : list_at(answer, "volumes")) {
    if (session.globals().quiet) session.out() << text_at(volume, "volume") << '\n';
    const std::uint64_t kib = number_at(volume, "out_of_sync_kib");
    table.add({text_at(volume, "volume"), std::to_string(number_at(volume, "minor")), std::to_string(number_at(volume, "port")),
               size_text(number_at(volume, "size")), fmt::format("{}/{}", or_dash(text_at(volume, "role")), or_dash(text_at(volume, "peer_role"))),
               both(volume, "disk", "peer_disk"), connection_cell(volume), Cell(size_text(kib * 1024), kib == 0 ? Tone::plain : Tone::warning),
               verified_cell(volume)});
  }
  if (session.globals().quiet) return 0;
  // What the table's word means, and what to do.
  std::vector<std::string> overdue;
  for (const Json& volume : list_at(answer, "volumes")) {
    if (flag_at(volume, "verify_overdue")) overdue.push_back(text_at(volume, "volume"));
    for (const Json& hold : list_at(volume, "holds")) holds.push_back(hold);
    if (volume.contains("older_copy")) holds.push_back(object_at(volume, "older_copy"));
    if (volume.contains("lost_disk")) holds.push_back(object_at(volume, "lost_disk"));
  }
  if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  else if (flag_at(answer, "enabled")) session.out() << "No replicated disks. Make one: hvctl vm create NAME --disk-size SIZE --storage-type drbd\n";
  else session.out() << "Replication is not enabled: hvctl drbd enable\n";
  if (!overdue.empty()) {
    holds.push_back({{"text", fmt::format("not compared for longer than the cluster allows (hvctl info says how long): {}", fmt::join(overdue, ", "))}, {"next", "hvctl verify --all"}});
  }
  print_warnings(session, holds);
  return 0;
}

}  // namespace

Command drbd_list() {
  return {.name = "drbd list",
          .summary = "show every replicated volume with roles, disks, link and last verify",
          .details = "ROLE and DISKS show this node before the other. OUT OF SYNC is the live counter; whether a VM may start is decided by the verify record.",
          .also = {"drbd ls", "drbd --list"},
          .routes = {{"GET", "/v1/drbd"}},
          .examples = {"hvctl drbd list"},
          .run = run_drbd_list};
}

}  // namespace mcv::cli::commands
