// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_network_create(Session& session, const Arguments& arguments) {
  const Json body = {{"name", arguments.name()}, {"bridge", arguments.value("--bridge")}};
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/networks", {}, body));
  return session.finish(outcome, fmt::format("Network {} is bridge {} on every node.", arguments.name(), arguments.value("--bridge")));
}

}  // namespace

Command network_create() {
  return {.name = "network create",
          .summary = "define a guest network on a bridge that every node has",
          .operands = {.name = "NAME", .min = 1, .max = 1},
          .options = {{.name = "--bridge", .value = "NAME", .help = "the bridge's name on both nodes", .required = true}},
          .routes = {{"POST", "/v1/networks"}},
          .examples = {"hvctl network create lan --bridge br0"},
          .run = run_network_create};
}

}  // namespace mcv::cli::commands
