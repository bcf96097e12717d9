// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_cluster_upgrade_format(Session& session, const Arguments&) {
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/upgrade-format"));
  const std::string text = printable(text_at(object_at(outcome.body, "result"), "text"));
  return session.finish(outcome, fmt::format("Done: {}.", text));
}

}  // namespace

Command cluster_upgrade_format() {
  return {.name = "cluster upgrade-format",
          .summary = "write the newest format of the configuration that both nodes know",
          .details = "A newer package goes on writing the older format until this is typed, so that each node can get the older package back. 'hvctl info' says which format is "
                     "written and which one the builds know. Refused while the other node does not know a newer one, or is not in contact. Afterwards an older package refuses "
                     "to start on this configuration, without touching it; running VMs are not concerned. Repeating it changes nothing.",
          .routes = {{"POST", "/v1/cluster/upgrade-format"}},
          .examples = {"hvctl cluster upgrade-format"},
          .run = run_cluster_upgrade_format};
}

}  // namespace mcv::cli::commands
