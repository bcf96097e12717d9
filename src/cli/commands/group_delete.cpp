// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_group_delete(Session& session, const Arguments& arguments) {
  const std::string& group = arguments.name();
  MCV_CHECK(confirm_typed(session, fmt::format("The roles of the group {} are taken back from all its members. The users stay.", group), group));
  Result<Outcome> outcome = session.change("DELETE", "/v1/groups/{name}", {group});
  if (!outcome.ok()) return session.with_suggestion(std::move(outcome).error(), Completes::group, group);
  return session.finish(*outcome, fmt::format("Group {} is gone.", group));
}

}  // namespace

Command group_delete() {
  return {.name = "group delete",
          .summary = "remove a group and what was given to it",
          .operands = {.name = "GROUP", .min = 1, .max = 1, .completes = Completes::group},
          .also = {"group rm"},
          .routes = {{"DELETE", "/v1/groups/{name}"}},
          .examples = {"hvctl group delete ops"},
          .run = run_group_delete};
}

}  // namespace mcv::cli::commands
