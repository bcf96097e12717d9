// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_delete(Session& session, const Arguments& arguments) {
  const auto question = [](const std::string& group) { return fmt::format("The roles of the group {} are taken back from all its members. The users stay.", group); };
  const auto done = [](const std::string& group) { return fmt::format("Group {} is gone.", group); };
  return delete_confirmed(session, arguments.names(), Completes::group, "/v1/groups/{name}", question, done);
}

}  // namespace

Command group_delete() {
  return {.name = "group delete",
          .summary = "remove groups and what was given to them",
          .operands = {.name = "GROUP", .min = 1, .max = any_number, .completes = Completes::group},
          .also = {"group rm"},
          .routes = {{"DELETE", "/v1/groups/{name}"}},
          .examples = {"hvctl group delete ops"},
          .run = run_group_delete};
}

}  // namespace mcv::cli::commands
