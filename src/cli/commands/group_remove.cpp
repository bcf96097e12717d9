// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_remove(Session& session, const Arguments& arguments) {
  const std::string& group = arguments.names()[0];
  const std::string& user = arguments.names()[1];
  MCV_TRY(const Outcome outcome, session.change("DELETE", "/v1/groups/{name}/members/{user}", {group, user}));
  return session.finish(outcome, fmt::format("{} is in the group {} no more.", user, group));
}

}  // namespace

Command group_remove() {
  return {.name = "group remove",
          .summary = "take a user out of a group",
          .operands = {.name = "GROUP USER", .min = 2, .max = 2},
          .routes = {{"DELETE", "/v1/groups/{name}/members/{user}"}},
          .examples = {"hvctl group remove ops alice"},
          .run = run_group_remove};
}

}  // namespace mcv::cli::commands
