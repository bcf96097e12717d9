// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_user_remove(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& user) { return fmt::format("{} loses every role, and its place in every group. The account of the system stays.", user); };
  const auto done = [](const std::string& user) { return fmt::format("{} is no user any more.", user); };
  return delete_confirmed(session, arguments.names(), Completes::user, "/v1/users/{name}", question, done);
}

}  // namespace

Command user_remove() {
  return {.name = "user remove",
          .summary = "take everything back that was given to users",
          .details = "What it has begun goes on; its consoles end. A user that is added again later starts with nothing.",
          .operands = {.name = "USER", .min = 1, .max = any_number, .completes = Completes::user},
          .also = {"user rm"},
          .routes = {{"DELETE", "/v1/users/{name}"}},
          .examples = {"hvctl user remove alice"},
          .run = run_user_remove};
}

}  // namespace mcv::cli::commands
