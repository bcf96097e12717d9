// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ctime>
#include <fmt/format.h>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"
#include "cluster/access/permission.h"

namespace mcv::cli::commands {
namespace {

/// Each action, and each first word for all that begin with it.
std::vector<std::string> actions() {
  std::vector<std::string> words;
  for (const access::Permission permission : access::all_permissions()) {
    const std::string action(access::to_text(permission));
    const std::string first = action.substr(0, action.find('.'));
    if (std::find(words.begin(), words.end(), first) == words.end()) words.push_back(first);
    words.push_back(action);
  }
  return words;
}

std::vector<std::string> results() {
  std::vector<std::string> words{"done", "begun", "refused", "unknown", "succeeded", "undone", "cancelled", "failed"};
  for (const ErrorCode code : all_error_codes()) words.emplace_back(to_text(code));
  return words;
}

Result<std::string> audit_query(const Arguments& arguments) {
  std::string query;
  const auto add = [&query](const char* key, const std::string& value) { query += fmt::format("{}{}={}", query.empty() ? "" : "&", key, percent_encoded(value)); };
  if (arguments.has("--action")) {
    MCV_CHECK(check_one_of("--action", arguments.value("--action"), actions(), "hvctl explain permission --help lists them"));
  }
  if (arguments.has("--result")) {
    MCV_CHECK(check_one_of("--result", arguments.value("--result"), results(), "hvctl audit --help lists them; the codes of errors: man mcv-errors"));
  }
  for (const char* key : {"user", "vm", "action", "result"}) {
    const std::string option = std::string("--") + key;
    if (arguments.has(option)) add(key, arguments.value(option));
  }
  if (arguments.has("--since")) {
    MCV_TRY(const std::uint64_t age, parse_age("--since", arguments.value("--since")));
    add("since", std::to_string(std::max<std::int64_t>(0, static_cast<std::int64_t>(std::time(nullptr)) - static_cast<std::int64_t>(age))));
  }
  if (arguments.has("--limit")) {
    MCV_TRY(const std::uint32_t limit, parse_count("--limit", arguments.value("--limit"), 5000));
    add("limit", std::to_string(limit));
  }
  return query;
}

std::string who_text(const Json& row) {
  const std::string entered = text_at(row, "entered");
  return entered.empty() ? text_at(row, "user") : fmt::format("{} on {}", text_at(row, "user"), entered);
}

Cell result_cell(const Json& row) {
  const std::string result = text_at(row, "result");
  const std::string error = text_at(row, "error");
  const bool bad = result == "refused" || result == "failed" || result == "unknown";
  std::string text = error.empty() ? result : fmt::format("{} ({})", result, error);
  if (const std::uint64_t unheard = number_at(row, "unheard"); unheard != 0) text += fmt::format(" and {} more before", unheard);
  return Cell(text, bad ? Tone::bad : Tone::plain);
}

std::string what_text(const Json& row) {
  const std::string text = text_at(row, "text");
  const std::string operation = text_at(row, "operation");
  return fmt::format("{}{}", text.empty() ? text_at(row, "request") : text, operation.empty() ? "" : " [" + operation + "]");
}

Result<int> run_audit(Session& session, const Arguments& arguments) {
  MCV_TRY(const std::string query, audit_query(arguments));
  MCV_TRY(const Json answer, session.get("/v1/audit", {}, query));
  const Json& silent = list_at(answer, "silent");
  if (session.json()) {
    session.print(answer);
    return silent.empty() ? 0 : exit_partial;
  }
  Table table({"WHEN", "WHO", "ACTION", "VM", "RESULT", "WHAT"});
  for (const Json& row : list_at(answer, "rows")) {
    table.add({time_text(static_cast<std::int64_t>(number_at(row, "wall_seconds"))), who_text(row), text_at(row, "action"), joined(list_at(row, "vms")), result_cell(row), what_text(row)});
  }
  if (table.empty()) session.out() << "Nothing in the audit fits.\n";
  else session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  for (const Json& node : silent) session.err() << fmt::format("{} does not answer: what only it has is not shown.\n", printable(node.is_string() ? node.get<std::string>() : ""));
  return silent.empty() ? 0 : exit_partial;
}

}  // namespace

Command audit() {
  return {.name = "audit",
          .summary = "show who asked for what, and what came of it",
          .details = "Every request that changes something, or opens a console, has a row: by whom, on which node, the action (as 'hvctl explain permission' names them), about which VM, and how "
                     "it ended; refusals too. Both nodes have it before the request is answered, or the answer says that one has. What only looks, and what a request has in it besides names, is "
                     "never kept. The newest are shown first, 200 of them.\n\n"
                     "Kept are the last 2,000 rows of each node and the rows of the last 10,000 changes of the configuration; of refusals 20 a minute for each account, and how many more there "
                     "were. Older ones are in the journal (journalctl -u mcvd MCV_RESULT=refused).",
          .options = {{.name = "--user", .value = "USER", .help = "what this account asked for", .completes = Completes::user},
                      {.name = "--vm", .value = "VM", .help = "about this VM", .completes = Completes::vm},
                      {.name = "--since", .value = "AGE", .help = "not older: 12h, 7d, 4w"},
                      {.name = "--action", .value = "ACTION", .help = "vm.start, or vm for all of these", .completes = Completes::action},
                      {.name = "--result", .value = "done|begun|refused|unknown|succeeded|undone|cancelled|failed|CODE", .help = "what came of it; CODE is that of an error, see mcv-errors(7)"},
                      {.name = "--limit", .value = "N", .help = "so many, at most 5000"}},
          .routes = {{"GET", "/v1/audit"}},
          .examples = {"hvctl audit --vm vm1 --since 7d", "hvctl audit --user alice --result refused"},
          .run = run_audit};
}

}  // namespace mcv::cli::commands
