// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

constexpr const char* abandon_question =
    "This node becomes blank again: what the join made here is removed. If the other node recorded it as a member all the same,\n"
    "that node has to remove it again when it is back.\n";

Result<int> run_cluster_join(Session& session, const Arguments&) {
  MCV_CHECK(confirm_typed(session, abandon_question, "abandon"));
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/join/abandon"));
  const std::string inviter = printable(text_at(object_at(outcome.body, "result"), "inviter"));
  return session.finish(outcome, fmt::format("The join with {} has ended; this node is blank.", inviter));
}

}  // namespace

Command cluster_join() {
  return {.name = "cluster join",
          .summary = "end a join on the node that was to be added",
          .details = "A join is one decision of the node that adds: if anything fails before it recorded the new member both nodes become what they were, afterwards both "
                     "finish, also after a crash. The node that is added asks the other one, and refuses changes meanwhile. Only when that node is gone for good "
                     "somebody has to say so: with --abandon this node becomes blank. Refused while the other node answers, and once this one is a member.",
          .options = {{.name = "--abandon", .help = "end the join: this node becomes blank", .required = true}},
          .routes = {{"POST", "/v1/cluster/join/abandon"}},
          .examples = {"hvctl cluster join --abandon"},
          .run = run_cluster_join};
}

}  // namespace mcv::cli::commands
