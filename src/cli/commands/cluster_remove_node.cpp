// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string removal_question(const std::string& node, bool dead) {
  if (dead) {
    return fmt::format(
        "{0} leaves the cluster for good, without being asked. This node's copies are the only ones from then on.\n"
        "If {0} is switched on later, it puts its copies aside and starts none of them.",
        node);
  }
  return fmt::format(
      "{0} leaves the cluster: its copies of replicated disks are put aside there, under names that nothing starts, and it becomes blank.\n"
      "VMs here run on. Until another node is added every replicated disk has one copy only.",
      node);
}

/// What is left to do, if the leaver did not say that it is blank.
std::string done_text(const std::string& node, const Json& result) {
  std::string text = fmt::format("{} is removed. Replicated disks have one leg now: this node's copy is the only one.\n", node);
  const Json leaver = object_at(result, "leaver");
  if (leaver.contains("blank") && !flag_at(leaver, "blank")) text += printable(text_at(leaver, "text")) + ".\n";
  return text + "Add it again, or another node: hvctl cluster add-node --node NAME --ip-address IP";
}

Result<int> run_cluster_remove_node(Session& session, const Arguments& arguments) {
  if (!arguments.has("--node")) return Error(ErrorCode::bad_request, "name the node that leaves: --node NODE").with_safe("nothing was changed").with_next("hvctl node list");
  const std::string node = arguments.value("--node");
  const bool dead = arguments.has("--dead");
  const Json body = {{"node", node}, {"dead", dead}};
  if (is_asked_for(session)) {
    // Refused before anybody has to type anything.
    const Result<Json> planned = session.plan("POST", "/v1/cluster/remove-node", {}, body);
    if (!planned.ok()) return session.with_suggestion(planned.error(), Completes::node, node);
  }
  MCV_CHECK(confirm_typed(session, removal_question(node, dead), node));
  Result<Outcome> outcome = session.change("POST", "/v1/cluster/remove-node", {}, body);
  if (!outcome.ok()) return session.with_suggestion(std::move(outcome).error(), Completes::node, node);
  return session.finish(*outcome, done_text(node, object_at(outcome->body, "result")));
}

}  // namespace

Command cluster_remove_node() {
  return {.name = "cluster remove-node",
          .summary = "remove the other node from the cluster",
          .details = "Run it on the node that stays. The other one must be in contact, and nothing may run there: no guest, no operation, no disk that is there alone. VMs here "
                     "run on and keep writing. Stopped VMs of the other node belong to this one afterwards.\n\n"
                     "The other node puts its copies of replicated disks aside, under names that nothing ever starts ('hvctl storage list-quarantined' there), and is blank: "
                     "'hvctl cluster add-node' adds it again, or another one, and copies every replicated disk from here. All or nothing: after a failure before the commit "
                     "both nodes are as they were.\n\n"
                     "--dead removes a node that is gone for good. It is refused while that node answers, until 'hvctl cluster confirm-down' was typed, and while a disk's "
                     "newest copy may be there.",
          .options = {{.name = "--node", .value = "NODE", .help = "the node that leaves", .completes = Completes::node}, {.name = "--dead", .help = "it is gone for good and cannot be asked"}},
          .also = {"cluster --remove-node"},
          .routes = {{"POST", "/v1/cluster/remove-node"}},
          .examples = {"hvctl cluster remove-node --node B", "hvctl cluster remove-node --node B --dead"},
          .run = run_cluster_remove_node};
}

}  // namespace mcv::cli::commands
