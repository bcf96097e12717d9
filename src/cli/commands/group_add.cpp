// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_add(Session& session, const Arguments& arguments) {
  const std::string& group = arguments.names()[0];
  const std::string& user = arguments.names()[1];
  const Json body = {{"user", user}};
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/groups/{name}/members", {group}, body));
  return session.finish(outcome, fmt::format("{} is in the group {}.", user, group));
}

}  // namespace

Command group_add() {
  return {.name = "group add",
          .summary = "put a user into a group",
          .operands = {.name = "GROUP USER", .min = 2, .max = 2},
          .routes = {{"POST", "/v1/groups/{name}/members"}},
          .examples = {"hvctl group add ops alice"},
          .run = run_group_add};
}

}  // namespace mcv::cli::commands
