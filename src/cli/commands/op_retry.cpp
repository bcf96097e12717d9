// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_op_retry(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& id) { return session.submit("POST", "/v1/operations/{id}/retry", {id}); };
  return session.each(arguments.names(), Completes::operation, submit, [](const std::string& id) { return fmt::format("Operation {} is done.", id); });
}

}  // namespace

Command op_retry() {
  return {.name = "op retry",
          .summary = "go on with operations that stopped half-way",
          .details = "For operations that ended as failed and wait for somebody to mend the cause. What is done is not done again.",
          .operands = {.name = "ID", .min = 1, .max = any_number, .completes = Completes::operation},
          .routes = {{"POST", "/v1/operations/{id}/retry"}},
          .examples = {"hvctl op retry A-17"},
          .run = run_op_retry};
}

}  // namespace mcv::cli::commands
