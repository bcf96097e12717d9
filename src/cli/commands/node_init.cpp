// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_node_init(Session& session, const Arguments& arguments) {
  Json body = {{"all", arguments.has("--all")}};
  if (arguments.has("--bridge")) body["bridge"] = arguments.value("--bridge");
  if (arguments.has("--uplink")) body["uplink"] = arguments.value("--uplink");
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/node/init", {}, body));
  std::string text;
  for (const Json& line : list_at(object_at(outcome.body, "result"), "done")) {
    if (line.is_string()) text += printable(line.get<std::string>()) + "\n";
  }
  return session.finish(outcome, text + "This node is ready.");
}

}  // namespace

Command node_init() {
  return {.name = "node init",
          .summary = "prepare this machine: directories, database, guest network",
          .details = "Idempotent: what exists and fits is left alone, and nothing that mcv did not make is ever removed. With --all the bridge of the guest "
                     "network is made too; give --uplink to put an interface into it, now and after each reboot. An interface that carries an address is "
                     "refused: as a port it would lose it. Give the bridge that address in /etc/network/interfaces first.\n\n"
                     "A single initialised node already runs VMs on local storage.",
          .options = {{.name = "--all", .help = "the guest network's bridge too"},
                      {.name = "--bridge", .value = "NAME", .help = "its name, br0 unless given"},
                      {.name = "--uplink", .value = "INTERFACE", .help = "an interface to put into the bridge"}},
          .routes = {{"POST", "/v1/node/init"}},
          .examples = {"hvctl node init --all", "hvctl node init --all --uplink eth1"},
          .run = run_node_init};
}

}  // namespace mcv::cli::commands
