// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_network_delete(Session& session, const Arguments& arguments) {
  for (const std::string& name : arguments.names()) {
    MCV_CHECK(confirm_typed(session, fmt::format("This removes the network {} from the cluster; its bridges stay.", name), name));
  }
  const auto submit = [&](const std::string& name) { return session.submit("DELETE", "/v1/networks/{name}", {name}); };
  return session.each(arguments.names(), Completes::network, submit, [](const std::string& name) { return fmt::format("Network {} is gone.", name); });
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
