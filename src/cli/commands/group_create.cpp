// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_create(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& group) {
    const Json body = {{"name", group}};
    return session.submit("POST", "/v1/groups", {}, body);
  };
  return session.each(arguments.names(), Completes::nothing, submit, [](const std::string& group) { return fmt::format("Group {} is there. Add a member: hvctl group add {} USER", group, group); });
}

}  // namespace

Command group_create() {
  return {.name = "group create",
          .summary = "make groups of users, to give roles to all of them",
          .details = "It is one of this cluster; groups of the system give nothing here.",
          .operands = {.name = "GROUP", .min = 1, .max = any_number},
          .routes = {{"POST", "/v1/groups"}},
          .examples = {"hvctl group create ops"},
          .run = run_group_create};
}

}  // namespace mcv::cli::commands
