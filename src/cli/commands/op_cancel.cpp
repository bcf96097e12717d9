// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_op_cancel(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& id) -> Result<Outcome> {
    MCV_TRY(Outcome sent, session.submit("POST", "/v1/operations/{id}/cancel", {id}));
    // A cancel that was taken is a success of this command, whatever the operation ends as.
    if (sent.kind == Outcome::Kind::started) sent.kind = Outcome::Kind::done;
    return sent;
  };
  return session.each(arguments.names(), Completes::operation, submit,
                      [](const std::string& id) { return fmt::format("Operation {} is asked to stop; what it did is undone. Watch: hvctl op watch {}", id, id); });
}

}  // namespace

Command op_cancel() {
  return {.name = "op cancel",
          .summary = "stop operations and undo what they did",
          .details = "An operation that has passed the point from which it can only go forward is refused.",
          .operands = {.name = "ID", .min = 1, .max = any_number, .completes = Completes::operation},
          .routes = {{"POST", "/v1/operations/{id}/cancel"}},
          .examples = {"hvctl op cancel A-17"},
          .run = run_op_cancel};
}

}  // namespace mcv::cli::commands
