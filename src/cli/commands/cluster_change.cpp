// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

std::string sentence(const Json& answer) {
  const std::string outcome = text_at(answer, "outcome");
  if (outcome == "committed") {
    return fmt::format("committed: it was applied, as entry {} in generation {} ({})", number_at(answer, "index"), number_at(answer, "generation"), text_at(answer, "hash").substr(0, 12));
  }
  if (outcome == "not-applied") return "not applied, and never will be: the command can be repeated";
  if (outcome == "undecided") return "undecided: only contact between the nodes tells (hvctl info shows whether there is any); ask again then";
  return "forgotten: it is older than the kept log, or no such change was ever asked for; hvctl info NAME shows what is";
}

Result<int> run_cluster_change(Session& session, const Arguments& arguments) {
  MCV_TRY(const Json answer, session.get("/v1/change", {}, "id=" + percent_encoded(arguments.name())));
  if (session.json()) session.print(answer);
  else session.out() << sentence(answer) << '\n';
  return text_at(answer, "outcome") == "undecided" ? exit_partial : 0;
}

}  // namespace

Command cluster_change() {
  return {.name = "cluster change",
          .summary = "tell what became of a change whose answer was lost",
          .details = "ID is what the error outcome-unknown named. The answer is one of: committed (it was applied), not applied (it never will be, repeat the command), undecided (the other "
                     "node may hold it: only contact tells; exit code 22), forgotten (it is older than the 1,000 to 2,000 entries that are kept).",
          .operands = {.name = "ID", .min = 1, .max = 1},
          .routes = {{"GET", "/v1/change"}},
          .examples = {"hvctl cluster change 5f0c3a52-6a9b-4a39-a4e6-0d6b7d0e8f11@41"},
          .run = run_cluster_change};
}

}  // namespace mcv::cli::commands
