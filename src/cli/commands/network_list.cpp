// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_network_list(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/networks"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  Table table({"NETWORK", "BRIDGE", "ON NODES"});
  for (const Json& network : list_at(answer, "networks")) {
    if (session.globals().quiet) session.out() << text_at(network, "name") << '\n';
    std::string nodes;
    bool everywhere = true;
    for (const auto& item : object_at(network, "realised").items()) {
      const bool here = item.value().is_boolean() && item.value().get<bool>();
      everywhere = everywhere && here;
      nodes += fmt::format("{}{}{}", nodes.empty() ? "" : ", ", printable(item.key()), here ? "" : " (missing)");
    }
    table.add({text_at(network, "name"), text_at(network, "bridge"), Cell(nodes, everywhere ? Tone::plain : Tone::bad)});
  }
  if (session.globals().quiet) return 0;
  if (table.empty()) session.out() << "No networks. Make one: hvctl network create NAME --bridge br0\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  return 0;
}

}  // namespace

Command network_list() {
  return {.name = "network list",
          .summary = "show the guest networks and where their bridges exist",
          .also = {"network ls"},
          .routes = {{"GET", "/v1/networks"}},
          .examples = {"hvctl network list"},
          .run = run_network_list};
}

}  // namespace mcv::cli::commands
