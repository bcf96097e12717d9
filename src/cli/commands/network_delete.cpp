// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_network_delete(Session& session, const Arguments& arguments) {
  const std::string& name = arguments.name();
  MCV_CHECK(confirm_typed(session, fmt::format("This removes the network {} from the cluster; its bridges stay.", name), name));
  Result<Outcome> outcome = session.change("DELETE", "/v1/networks/{name}", {name});
  if (!outcome.ok()) return session.with_suggestion(std::move(outcome).error(), Completes::network, name);
  return session.finish(*outcome, fmt::format("Network {} is gone.", name));
}

}  // namespace

Command network_delete() {
  return {.name = "network delete",
          .summary = "remove a network that no VM uses",
          .operands = {.name = "NAME", .min = 1, .max = 1, .completes = Completes::network},
          .also = {"network rm"},
          .routes = {{"DELETE", "/v1/networks/{name}"}},
          .examples = {"hvctl network delete lan"},
          .run = run_network_delete};
}

}  // namespace mcv::cli::commands
