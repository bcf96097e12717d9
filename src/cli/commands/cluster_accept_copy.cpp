// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string older_copy_question(const std::string& volume, const Json& answer) {
  return fmt::format("{}.\nFrom now on {} would use the copy here. Confirm two facts:\n"
                     "  1. The other node is powered off, looked at by you. If it is not, its guest may go on there at the same time.\n"
                     "  2. What it wrote to {} later is not here, and is given up.\n"
                     "Known limit: {}\n",
                     text_at(answer, "reason"), text_at(answer, "vm"), volume, text_at(answer, "limit"));
}

Result<int> run_cluster_accept_copy(Session& session, const Arguments& arguments) {
  const std::string& volume = arguments.name();
  Json body = {{"volume", volume}, {"check_only", true}};
  // Refused before anybody has to type anything; with --dry-run this is all.
  MCV_TRY(const Outcome checked, session.submit("POST", "/v1/cluster/accept-copy", {}, body));
  if (checked.kind == Outcome::Kind::planned) return session.finish(checked, "");
  MCV_CHECK(confirm_typed(session, older_copy_question(volume, checked.body), volume));
  body = {{"volume", volume}, {"may_be_older", true}};
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/accept-copy", {}, body));
  if (session.json()) {
    session.print(outcome.body);
  } else if (!session.globals().quiet) {
    const Json& result = object_at(outcome.body, "result");
    session.out() << fmt::format("The copy of {} here is the one that is used. Known limit: {}\nStart its VM: hvctl vm start {}\n", volume, text_at(result, "limit"), text_at(result, "vm"));
  }
  return 0;
}

}  // namespace

Command cluster_accept_copy() {
  return {.name = "cluster accept-copy",
          .summary = "use this node's copy of a disk although the other one may be newer",
          .details = "For a node that is lost for good and had the newer data: it went on alone by policy, by this node's consent, or before its writes had all arrived here. After "
                     "'hvctl cluster confirm-down' this node still keeps such a disk closed; this command opens it, one disk at a time. What the other node wrote meanwhile is "
                     "not in it, and once more you say that it is powered off: if it is not, its guest may go on there at the same time. The command is refused while the other "
                     "node answers on any path, and for a copy that is not whole.\n\n"
                     "Known limit: the other node keeps its own record while it is off. Switched on while this one is off, it can be told to start its own copy; when the two meet "
                     "neither is overwritten, both stand apart, and 'hvctl info' says how one is chosen.\n\n"
                     "--yes accepts without asking.",
          .operands = {.name = "DISK", .min = 1, .max = 1, .completes = Completes::disk},
          .routes = {{"POST", "/v1/cluster/accept-copy"}},
          .examples = {"hvctl cluster accept-copy vm1-0"},
          .run = run_cluster_accept_copy};
}

}  // namespace mcv::cli::commands
