// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

Result<int> run_user_add(Session& session, const Arguments& arguments) {
  const auto submit = [&](const std::string& user) -> Result<Outcome> {
    const Json body = {{"name", user}};
    MCV_TRY(Outcome outcome, session.submit("POST", "/v1/users", {}, body));
    const std::string note = text_at(object_at(outcome.body, "result"), "note");
    if (!note.empty() && !session.json()) session.err() << printable(note) << ".\n";
    return outcome;
  };
  return session.each(arguments.names(), Completes::nothing, submit,
                      [](const std::string& user) { return fmt::format("{} is a user, and may do nothing yet. Give a role: hvctl grant add --user {} --role ROLE", user, user); });
}

}  // namespace

Command user_add() {
  return {.name = "user add",
          .summary = "let accounts of the nodes be given roles",
          .details = "A user is an account of the system, known by its name alone: the kernel says who is at mcvd's socket, so there is no password here. The account has to be there on the "
                     "node where this is typed; whether the other node has it as well is told. A new user may do nothing until a role is given ('hvctl grant add').",
          .operands = {.name = "USER", .min = 1, .max = any_number},
          .routes = {{"POST", "/v1/users"}},
          .examples = {"hvctl user add alice"},
          .run = run_user_add};
}

}  // namespace mcv::cli::commands
