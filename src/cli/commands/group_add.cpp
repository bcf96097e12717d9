// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_add(Session& session, const Arguments& arguments) {
  const std::string& group = arguments.name();
  const std::vector<std::string> users(arguments.names().begin() + 1, arguments.names().end());
  const auto submit = [&](const std::string& user) {
    const Json body = {{"user", user}};
    return session.submit("POST", "/v1/groups/{name}/members", {group}, body);
  };
  return session.each(users, Completes::user, submit, [&](const std::string& user) { return fmt::format("{} is in the group {}.", user, group); });
}

}  // namespace

Command group_add() {
  return {.name = "group add",
          .summary = "put users into a group",
          .operands = {.name = "GROUP USER", .min = 2, .max = any_number, .completes = Completes::group, .then = Completes::user},
          .routes = {{"POST", "/v1/groups/{name}/members"}},
          .examples = {"hvctl group add ops alice", "hvctl group add ops alice bob"},
          .run = run_group_add};
}

}  // namespace mcv::cli::commands
