// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/firewall.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_node_set_drbd_address(Session& session, const Arguments& arguments) {
  MCV_TRY(const std::string address, parse_address(arguments.name()));
  const Json body = {{"drbd_address", address}};
  MCV_TRY(const Outcome outcome, session.change("PUT", "/v1/node/addresses", {}, body));
  return session.finish(outcome, fmt::format("This node replicates from {}.", address) + firewall_text(outcome.body));
}

}  // namespace

Command node_set_drbd_address() {
  return {.name = "node set-drbd-address",
          .summary = "give the replication of this node a link of its own",
          .operands = {.name = "IP", .min = 1, .max = 1},
          .also = {"node --set-drbd-address"},
          .routes = {{"PUT", "/v1/node/addresses"}},
          .examples = {"hvctl node set-drbd-address 10.78.0.11"},
          .run = run_node_set_drbd_address};
}

}  // namespace mcv::cli::commands
