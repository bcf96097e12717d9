// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_remove(Session& session, const Arguments& arguments) {
  const std::string& group = arguments.name();
  const std::vector<std::string> users(arguments.names().begin() + 1, arguments.names().end());
  const auto submit = [&](const std::string& user) { return session.submit("DELETE", "/v1/groups/{name}/members/{user}", {group, user}); };
  return session.each(users, Completes::user, submit, [&](const std::string& user) { return fmt::format("{} is in the group {} no more.", user, group); });
}

}  // namespace

Command group_remove() {
  return {.name = "group remove",
          .summary = "take users out of a group",
          .operands = {.name = "GROUP USER", .min = 2, .max = any_number, .completes = Completes::group, .then = Completes::user},
          .routes = {{"DELETE", "/v1/groups/{name}/members/{user}"}},
          .examples = {"hvctl group remove ops alice"},
          .run = run_group_remove};
}

}  // namespace mcv::cli::commands
