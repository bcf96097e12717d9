// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string volume_groups(const Json& node) {
  std::string text;
  for (const Json& group : list_at(node, "volume_groups")) {
    text += fmt::format("{}{}: {} free", text.empty() ? "" : ", ", text_at(group, "name"), size_text(number_at(group, "free")));
  }
  return or_dash(text);
}

Result<int> run_node_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/nodes"));
  bool partial = false;
  Table table({"NODE", "STATUS", "CLUSTER ADDRESS", "DRBD ADDRESS", "CPUS", "MEMORY FREE", "VOLUME GROUPS", "HYPERVISORS"});
  for (const Json& node : list_at(answer, "nodes")) {
    const std::string status = text_at(node, "status");
    const bool seen = status == "online";
    // Who left in order is expected to be away.
    partial = partial || (!seen && status != "left");
    if (session.globals().quiet && !session.json()) {
      session.out() << text_at(node, "name") << '\n';
      continue;
    }
    table.add({text_at(node, "name") + (flag_at(node, "this_node") ? " *" : ""), Cell(status_text(node), tone_of(status)), or_dash(text_at(node, "cluster_address")),
               or_dash(text_at(node, "drbd_address")), seen ? std::to_string(number_at(node, "cpus")) : "-",
               seen ? fmt::format("{} of {}", size_text(number_at(node, "memory_available")), size_text(number_at(node, "memory_total"))) : "-", volume_groups(node),
               seen ? joined(list_at(node, "hypervisors")) + (flag_at(node, "kvm") ? "" : " (no KVM)") : "-"});
  }
  if (session.json()) session.print(answer);
  else if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return partial ? exit_partial : 0;
}

}  // namespace

Command node_list() {
  return {.name = "node list",
          .summary = "show the nodes with their status and resources",
          .details = "The node this command talks to has a star. Exit code 22 when a node did not answer, unless it left in order.",
          .options = {{.name = "--all", .help = "everything there is to show, which is shown without it too", .also = "-all"}},
          .also = {"node ls", "node --list"},
          .routes = {{"GET", "/v1/nodes"}},
          .examples = {"hvctl node list"},
          .run = run_node_list};
}

}  // namespace mcv::cli::commands
