// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_storage_delete_orphan(Session& session, const Arguments& arguments) {
  const std::string& name = arguments.name();
  const std::string& node = arguments.value("--node");
  if (is_asked_for(session)) {
    MCV_TRY(const Json planned, session.plan("DELETE", "/v1/orphans/{node}/{name}", {node, name}));  // refused before anybody has to type anything
    static_cast<void>(planned);
  }
  MCV_CHECK(confirm_typed(session, fmt::format("This deletes {} on {} for good, with everything that is in it.", name, node), name));
  MCV_TRY(const Outcome outcome, session.change("DELETE", "/v1/orphans/{node}/{name}", {node, name}));
  return session.finish(outcome, fmt::format("{} on {} is gone.", name, node));
}

}  // namespace

Command storage_delete_orphan() {
  return {.name = "storage delete-orphan",
          .summary = "delete for good one thing that hvctl storage list-orphans shows",
          .details = "Its logical volumes, its DRBD resource file and what is in the kernel of it, on that node only. Refused while anything holds it open, while an operation of either node "
                     "may be about it, while the nodes do not share their configuration, and for what mcv did not make.",
          .operands = {.name = "NAME", .min = 1, .max = 1},
          .options = {{.name = "--node", .value = "NODE", .help = "where it lies: the same name may lie on both", .required = true, .completes = Completes::node}},
          .routes = {{"DELETE", "/v1/orphans/{node}/{name}"}},
          .examples = {"hvctl storage delete-orphan mcv-vm1-0 --node B"},
          .run = run_storage_delete_orphan};
}

}  // namespace mcv::cli::commands
