// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/roles.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string sentence_about(const Json& who) {
  const std::string name = printable(text_at(who, "name"));
  const std::string node = printable(text_at(who, "node"));
  if (flag_at(who, "root")) return fmt::format("root on {}: may do everything", node);
  if (!flag_at(who, "user")) return fmt::format("{} on {}: no user of this cluster; an administrator types: hvctl user add {}", name, node, name);
  const std::string roles = roles_text(list_at(who, "roles"));
  if (roles.empty()) return fmt::format("{} on {}: a user without a role; an administrator types: hvctl grant add --user {} --role ROLE", name, node, name);
  return fmt::format("{} on {}: {}", name, node, roles);
}

Result<int> run_whoami(Session& session, const Arguments&) {
  MCV_TRY(const Json answer, session.get("/v1/whoami"));
  if (session.json()) session.print(answer);
  else session.out() << sentence_about(answer) << '\n';
  return 0;
}

}  // namespace

Command whoami() {
  return {.name = "whoami",
          .summary = "show who mcvd takes you for, and your roles",
          .details = "Whoever may do nothing else may ask this.",
          .routes = {{"GET", "/v1/whoami"}},
          .examples = {"hvctl whoami"},
          .run = run_whoami};
}

}  // namespace mcv::cli::commands
