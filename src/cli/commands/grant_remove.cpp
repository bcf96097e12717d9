// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/roles.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_grant_remove(Session& session, const Arguments& arguments) {
  MCV_TRY(const Json body, grant_body(arguments));
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/grants/remove", {}, body));
  return session.finish(outcome, fmt::format("{} no more.", grant_text(arguments)));
}

}  // namespace

Command grant_remove() {
  return {.name = "grant remove",
          .summary = "take a role back",
          .details = "It holds from that moment on: what was asked for and has not begun is refused, consoles end. What was begun goes on to its end. Other roles of the user stay: 'hvctl user "
                     "list' shows them.",
          .options = grant_options(),
          .also = {"grant rm"},
          .routes = {{"POST", "/v1/grants/remove"}},
          .examples = {"hvctl grant remove --user alice --role operator --vm vm1"},
          .run = run_grant_remove};
}

}  // namespace mcv::cli::commands
