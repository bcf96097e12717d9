// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_op_watch(Session& session, const Arguments& arguments) {
  Outcome started{Outcome::Kind::started, {{"id", arguments.name()}}};
  Result<Outcome> ended = session.follow(std::move(started));
  if (!ended.ok()) return session.with_suggestion(std::move(ended).error(), Completes::operation, arguments.name());
  return session.finish(*ended, fmt::format("Operation {} succeeded.", arguments.name()));
}

}  // namespace

Command op_watch() {
  return {.name = "op watch",
          .summary = "follow an operation to its end",
          .details = "Ends with the operation's own exit code. Ctrl-C leaves it running.",
          .operands = {.name = "ID", .min = 1, .max = 1, .completes = Completes::operation},
          .routes = {{"GET", "/v1/operations/{id}/events"}},
          .examples = {"hvctl op watch A-17"},
          .run = run_op_watch};
}

}  // namespace mcv::cli::commands
