// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_network_delete(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& name) { return fmt::format("This removes the network {} from the cluster; its bridges stay.", name); };
  const auto done = [](const std::string& name) { return fmt::format("Network {} is gone.", name); };
  return delete_confirmed(session, arguments.names(), Completes::network, "/v1/networks/{name}", question, done);
}

}  // namespace

Command network_delete() {
  return {.name = "network delete",
          .summary = "remove networks that no VM uses",
          .operands = {.name = "NAME", .min = 1, .max = any_number, .completes = Completes::network},
          .also = {"network rm"},
          .routes = {{"DELETE", "/v1/networks/{name}"}},
          .examples = {"hvctl network delete lan"},
          .run = run_network_delete};
}

}  // namespace mcv::cli::commands
