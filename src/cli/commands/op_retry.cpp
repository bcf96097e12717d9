// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_op_retry(Session& session, const Arguments& arguments) {
  Result<Outcome> sent = session.submit("POST", "/v1/operations/{id}/retry", {arguments.name()});
  if (!sent.ok()) return session.with_suggestion(std::move(sent).error(), Completes::operation, arguments.name());
  return session.finish(*sent, fmt::format("Operation {} is done.", arguments.name()));
}

}  // namespace

Command op_retry() {
  return {.name = "op retry",
          .summary = "go on with an operation that stopped half-way",
          .details = "For operations that ended as failed and wait for somebody to mend the cause. What is done is not done again.",
          .operands = {.name = "ID", .min = 1, .max = 1, .completes = Completes::operation},
          .routes = {{"POST", "/v1/operations/{id}/retry"}},
          .examples = {"hvctl op retry A-17"},
          .run = run_op_retry};
}

}  // namespace mcv::cli::commands
