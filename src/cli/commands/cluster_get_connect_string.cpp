// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_cluster_get_connect_string(Session& session, const Arguments& arguments) {
  Json body = Json::object();
  if (arguments.has("--ip-address")) {
    MCV_TRY(body["cluster_address"], parse_address(arguments.value("--ip-address")));
  }
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/connect-string", {}, body));
  if (outcome.kind == Outcome::Kind::planned) return session.finish(outcome, "");
  const Json& answer = outcome.body.contains("result") ? object_at(outcome.body, "result") : outcome.body;
  const std::string connect_string = text_at(answer, "connect_string");
  const std::uint64_t seconds = number_at(answer, "expires_seconds");
  if (connect_string.empty()) return Error(ErrorCode::bad_output, "mcvd answered without a connect string").with_next("journalctl -u mcvd -n 50");
  if (session.json()) {
    session.print({{"connect_string", connect_string}, {"expires_seconds", seconds}});
    return 0;
  }
  session.out() << connect_string << '\n';
  if (session.globals().quiet) return 0;
  session.err() << fmt::format("It is a secret: good for one join within {}. On the node that has the VMs:\n  hvctl cluster add-node --connect-string -\nand paste it there.\n",
                               duration_text(static_cast<std::int64_t>(seconds)));
  return 0;
}

}  // namespace

Command cluster_get_connect_string() {
  return {.name = "cluster get-connect-string",
          .summary = "on the node to be added: print the text that lets another node add it",
          .details = "For a join without a remote password. The text holds this node's address, the fingerprint of its key and a one-use token; whoever has it "
                     "before it runs out can add this node to a cluster.",
          .options = {{.name = "--ip-address", .value = "IP", .help = "set this node's cluster address first"}},
          .also = {"cluster --get-connect-string"},
          .routes = {{"POST", "/v1/cluster/connect-string"}},
          .examples = {"hvctl cluster get-connect-string --ip-address 10.77.0.12"},
          .run = run_cluster_get_connect_string};
}

}  // namespace mcv::cli::commands
