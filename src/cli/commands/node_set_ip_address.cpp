// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/firewall.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_node_set_ip_address(Session& session, const Arguments& arguments) {
  MCV_TRY(const std::string address, parse_address(arguments.name()));
  Json body = {{"cluster_address", address}};
  std::string text = fmt::format("This node's cluster address is {}", address);
  if (arguments.has("--drbd-address")) {
    MCV_TRY(const std::string drbd_address, parse_address(arguments.value("--drbd-address")));
    body["drbd_address"] = drbd_address;
    text += fmt::format(", and {} for replication", drbd_address);
  }
  MCV_TRY(const Outcome outcome, session.change("PUT", "/v1/node/addresses", {}, body));
  return session.finish(outcome, text + "." + firewall_text(outcome.body));
}

}  // namespace

Command node_set_ip_address() {
  return {.name = "node set-ip-address",
          .summary = "say which of this machine's addresses the cluster uses",
          .details = "The address must be on an interface of this node. Use a network or VLAN of its own between the two nodes: guest data crosses it "
                     "unencrypted. The firewall rules that the other node needs are printed.",
          .operands = {.name = "IP", .min = 1, .max = 1},
          .options = {{.name = "--drbd-address", .value = "IP", .help = "the replication's address, where it has a link of its own", .also = "--set-drbd-address"}},
          .also = {"node --set-ip-address"},
          .routes = {{"PUT", "/v1/node/addresses"}},
          .examples = {"hvctl node set-ip-address 10.77.0.11", "hvctl node --set-ip-address 10.77.0.11 --set-drbd-address 10.78.0.11"},
          .run = run_node_set_ip_address};
}

}  // namespace mcv::cli::commands
