// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/render/table.h"
#include "cli/session.h"
#include "cluster/core/wall_time.h"

namespace mcv::cli::commands {
namespace {

std::string when_text(const Json& object, const char* key) {
  if (!object.contains(key) || !object[key].is_number_integer()) return "not known";
  return local_time_text(object[key].get<std::int64_t>());
}

std::string known_text(const std::string& known) {
  if (known == "own") return "this node";
  return known == "asked" ? "it was asked" : "as of the meeting: it does not answer";
}

std::string objects_text(const Json& change) {
  std::string text;
  for (const Json& object : list_at(change, "objects")) text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", text_at(object, "kind"), text_at(object, "name"), text_at(object, "action"));
  return or_dash(text);
}

void print_table(Session& session, const Table& table) { session.out() << table.to_text(session.terminal().width, session.terminal().colour); }

void print_changes(Session& session, const Json& side) {
  const std::string node = text_at(side, "node");
  if (text_at(side, "known") == "recorded") {
    session.out() << fmt::format("\nWhat {} changed is not known here: it does not answer.\n", node);
    return;
  }
  session.out() << fmt::format("\nIn the history of {}{}:\n", node, flag_at(side, "complete") ? "" : ", as far back as its log is kept");
  Table table({"ENTRY", "WHAT", "OBJECTS"});
  for (const Json& change : list_at(side, "changes")) table.add({std::to_string(number_at(change, "index")), text_at(change, "summary"), objects_text(change)});
  if (table.empty()) session.out() << "nothing\n";
  else print_table(session, table);
}

void print_diverged(Session& session, const Json& answer) {
  session.out() << fmt::format("Two histories of the configuration: {}.\n", text_at(answer, "reason"));
  const Json& common = object_at(answer, "common");
  session.out() << (common.empty() ? std::string("The last entry that both hold is older than what is kept.\n") : fmt::format("The last entry that both hold: {} ({}).\n", number_at(common, "index"), text_at(common, "hash").substr(0, 12)));
  Table table({"NODE", "GENERATION", "TAKEN BY", "SINCE", "PROOF", "LAST ENTRY", "KNOWN FROM"});
  for (const Json& side : list_at(answer, "histories")) {
    for (const Json& generation : list_at(side, "generations")) {
      table.add({text_at(side, "node"), fmt::format("{} ({})", number_at(generation, "counter"), text_at(generation, "uuid").substr(0, 8)), text_at(generation, "taken_by"), when_text(generation, "since"),
                 text_at(generation, "proof"), fmt::format("{} ({})", number_at(side, "index"), text_at(side, "hash").substr(0, 12)), known_text(text_at(side, "known"))});
    }
  }
  session.out() << '\n';
  print_table(session, table);
  for (const Json& side : list_at(answer, "histories")) print_changes(session, side);
  session.out() << "\nBoth are kept until one is chosen. What would follow, and then the choice, on either node:\n";
  for (const Json& side : list_at(answer, "histories")) {
    if (text_at(side, "known") == "recorded") session.out() << fmt::format("(while {0} does not answer, neither can be. Only if it is lost for good: hvctl cluster confirm-down {0})\n", text_at(side, "node"));
  }
  for (const Json& side : list_at(answer, "histories")) session.out() << fmt::format("  hvctl cluster diverged --base {0} --dry-run\n  hvctl cluster diverged --base {0}\n", text_at(side, "node"));
}

void print_fates(Session& session, const Json& list) {
  for (const Json& fate : list_at(list, "vms")) session.out() << fmt::format("  {} {}\n", text_at(fate, "vm"), text_at(fate, "text"));
}

/// As lines of a shell: what no command does is a comment.
void print_to_repeat(Session& session, const Json& list) {
  for (const Json& item : list_at(list, "to_repeat")) {
    session.out() << fmt::format("  # {}\n", text_at(item, "text"));
    const std::string command = text_at(item, "command");
    if (!command.empty()) session.out() << fmt::format("  {}\n", command);
  }
}

void print_given_up(Session& session, const Json& list) {
  const std::string other = text_at(list, "other");
  session.out() << fmt::format("The history of {} was given up for that of {}, {}: {}.\n", other, text_at(list, "base"), when_text(list, "wall_seconds"), text_at(list, "by"));
  print_fates(session, list);
  print_changes(session, object_at(list, "history"));
  if (number_at(list, "changes_left_out") > 0) session.out() << fmt::format("and {} older ones\n", number_at(list, "changes_left_out"));
  if (list_at(list, "to_repeat").empty()) {
    session.out() << "\nNothing of it has to be typed again.\n";
  } else {
    session.out() << "\nTo type again, as far as it is wanted:\n";
    print_to_repeat(session, list);
  }
}

Result<int> show(Session& session) {
  MCV_TRY(const Json answer, session.get("/v1/cluster/diverged"));
  if (session.json()) {
    session.print(answer);
    return 0;
  }
  const Json& lists = list_at(answer, "given_up");
  if (flag_at(answer, "diverged")) print_diverged(session, answer);
  else if (lists.empty()) session.out() << "The nodes do not hold two histories, and nothing was given up.\n";
  bool first = !flag_at(answer, "diverged");
  for (const Json& list : lists) {
    if (!first) session.out() << '\n';
    first = false;
    print_given_up(session, list);
  }
  if (!lists.empty()) session.out() << "\nWhen that is done: hvctl cluster diverged --dismiss\n";
  return 0;
}

std::string history_question(const Json& asked) {
  const std::string base = text_at(asked, "base");
  const std::string other = text_at(asked, "other");
  std::string text = fmt::format("The configuration of {0} would be the cluster's, and {1} would take it. No guest is ended, no disk is overwritten by this.\n", base, other);
  for (const Json& fate : list_at(asked, "vms")) text += fmt::format("  {} {}\n", text_at(fate, "vm"), text_at(fate, "text"));
  const Json& items = list_at(asked, "to_repeat");
  if (!items.empty()) text += fmt::format("Given up from the history of {}, and kept as a list of commands:\n", other);
  for (const Json& item : items) text += fmt::format("  {}\n", text_at(item, "text"));
  return text;
}

Result<int> choose_history(Session& session, const std::string& base) {
  Json body = {{"base", base}, {"check_only", true}};
  // Refused before anybody has to type anything; with --dry-run this is all.
  MCV_TRY(const Outcome checked, session.submit("POST", "/v1/cluster/diverged", {}, body));
  if (checked.kind == Outcome::Kind::planned) return session.finish(checked, "");
  MCV_CHECK(confirm_typed(session, history_question(checked.body), base));
  body = {{"base", base}, {"the_other_is_given_up", true}};
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/diverged", {}, body));
  if (session.json()) {
    session.print(outcome.body);
  } else if (!session.globals().quiet) {
    const Json& result = object_at(outcome.body, "result");
    const std::string other = text_at(result, "other");
    session.out() << fmt::format("The history of {} is kept (generation {}). {}\n", base, number_at(result, "generation"),
                                 flag_at(result, "adopted") ? other + " has taken it." : other + " takes it as soon as the two meet: hvctl info");
    print_fates(session, result);
    if (!list_at(result, "to_repeat").empty()) {
      session.out() << fmt::format("Of the history of {}, to type again as far as it is wanted (hvctl cluster diverged shows this list until it is dismissed):\n", other);
      print_to_repeat(session, result);
    }
  }
  return 0;
}

Result<int> run_cluster_diverged(Session& session, const Arguments& arguments) {
  if (arguments.has("--base") && arguments.has("--dismiss")) return Error(ErrorCode::bad_request, "--base and --dismiss exclude each other").with_safe("nothing was asked of mcvd");
  if (arguments.has("--base")) return choose_history(session, arguments.value("--base"));
  if (!arguments.has("--dismiss")) return show(session);
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/diverged/dismiss", {}, Json::object()));
  return session.finish(outcome, "The lists of what was given up are not shown any more.");
}

}  // namespace

Command cluster_diverged() {
  return {.name = "cluster diverged",
          .summary = "show two histories of the configuration, and choose one",
          .details = "When both nodes decided alone, each said to be down for the other, there are two histories of the configuration, and only a person can choose. Until then both are "
                     "kept, changes are refused and replicated disks stay apart. This command shows both, on either node: who took which generation, why and when, the last entry that "
                     "both hold, and what each side changed since.\n\n"
                     "--base NODE keeps the history of that node; the other node takes it over. Both nodes have to be there. No guest is ended: where one runs, its VM belongs to that node "
                     "afterwards, and the choice is refused while a guest runs on both nodes. A VM that only the other history has comes along with its disks. Everything else the other "
                     "side had changed is not merged: it is kept on both nodes as a list of commands to paste, which this command shows until --dismiss. Disks are not touched; where both "
                     "copies were written to, 'hvctl info' says how one is given up.\n\n"
                     "When the other node is lost for good nothing can be chosen: 'hvctl cluster confirm-down NODE' goes on with the history of this node, "
                     "'hvctl cluster remove-node --node NODE --dead' then removes the other one.\n\n"
                     "--yes chooses without asking, --dry-run only shows what would follow.",
          .options = {{.name = "--base", .value = "NODE", .help = "keep the history of this node", .completes = Completes::node},
                      {.name = "--dismiss", .help = "show the list of what was given up no more"}},
          .routes = {{"GET", "/v1/cluster/diverged"}, {"POST", "/v1/cluster/diverged"}, {"POST", "/v1/cluster/diverged/dismiss"}},
          .examples = {"hvctl cluster diverged", "hvctl cluster diverged --base A --dry-run", "hvctl cluster diverged --base A", "hvctl cluster diverged --dismiss"},
          .run = run_cluster_diverged};
}

}  // namespace mcv::cli::commands
