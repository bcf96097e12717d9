// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <ctime>
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/session.h"
#include "cluster/core/wall_time.h"

namespace mcv::cli::commands {
namespace {

/// When both nodes were last in contact, as far as mcvd here knows.
std::string contact_text(const Json& answer) {
  if (!answer.contains("last_contact") || !answer["last_contact"].is_number_integer()) return "their last contact (before mcvd was started here, so its time is not known)";
  const auto then = answer["last_contact"].get<std::int64_t>();
  const auto now = static_cast<std::time_t>(std::time(nullptr));
  return fmt::format("{} ({} ago)", local_time_text(then), age_text(then, now));
}

/// This node left in order, so the other one was let go on: another second fact, and nothing to go on with.
std::string question_after_leave(const std::string& node, const Json& answer) {
  std::string left = "at a time that is not known";
  if (answer.contains("left_at") && answer["left_at"].is_number_integer()) {
    const auto then = answer["left_at"].get<std::int64_t>();
    left = fmt::format("at {} ({} ago)", local_time_text(then), age_text(then, static_cast<std::time_t>(std::time(nullptr))));
  }
  std::string text = fmt::format(
      "This node left in order {1} and let {0} go on. It will decide alone without what {0} wrote and decided since: only for a {0} that is lost for good.\n"
      "Confirm two facts. If the first is false, or {0} is ever switched on again, two histories stand and a person has to choose:\n"
      "  1. {0} is powered off. Not \"does not answer\": switched off, looked at, by you.\n"
      "  2. {0} was let go on when this node left. What it wrote since is not here.\n"
      "Nothing is started or opened by that.\n",
      node, left);
  if (!list_at(answer, "covered").empty()) text += fmt::format("This node wrote alone itself, before it left, and goes on with: {}\n", joined(list_at(answer, "covered")));
  for (const Json& reason : list_at(answer, "left_out")) text += fmt::format("Note: {}\n", printable(reason.is_string() ? reason.get<std::string>() : ""));
  return text;
}

std::string down_question(const std::string& node, const Json& answer) {
  std::string text = fmt::format(
      "This node will decide alone and go on with its copies of: {}.\n"
      "Confirm two facts. If one of them is false, data can be lost:\n"
      "  1. {} is powered off. Not \"does not answer\": switched off, looked at, by you.\n"
      "  2. Nobody let {} carry on alone since {}.\n",
      joined(list_at(answer, "covered")), node, node, contact_text(answer));
  if (flag_at(answer, "two_histories")) {
    text += fmt::format("Two histories stand, and nobody chose. This node goes on with its own; what {0} decided and wrote alone is not in it.\n"
                        "Only for a {0} that is lost for good: while it can be switched on, hvctl cluster diverged keeps what you need of both.\n", node);
  }
  for (const Json& reason : list_at(answer, "left_out")) text += fmt::format("Note: {}\n", printable(reason.is_string() ? reason.get<std::string>() : ""));
  return text;
}

void print_result(Session& session, const std::string& node, const Json& result, bool after_leave) {
  std::string text = fmt::format("{} counts as down; this node decides alone until it is back (generation {}).\n", node, number_at(result, "generation"));
  if (!list_at(result, "resumed").empty()) text += fmt::format("Held writes go on: {}\n", joined(list_at(result, "resumed")));
  if (!list_at(result, "still_held").empty()) text += fmt::format("Still held, tried again by itself: {} (hvctl drbd list)\n", joined(list_at(result, "still_held")));
  for (const Json& reason : list_at(result, "left_out")) text += fmt::format("{}\n", printable(reason.is_string() ? reason.get<std::string>() : ""));
  if (after_leave) text += "Each disk is opened by its name, its VM is started after that: hvctl cluster accept-copy DISK; hvctl vm start VM\n";
  else text += fmt::format("VMs of {} are started here one by one: hvctl vm start VM\n", node);
  session.out() << text;
}

Result<int> run_cluster_confirm_down(Session& session, const Arguments& arguments) {
  const std::string& node = arguments.name();
  Json body = {{"node", node}, {"check_only", true}};
  // Refused before anybody has to type anything; with --dry-run this is all.
  MCV_TRY(const Outcome checked, session.submit("POST", "/v1/cluster/confirm-down", {}, body));
  if (checked.kind == Outcome::Kind::planned) return session.finish(checked, "");
  const bool after_leave = flag_at(checked.body, "after_leave");
  MCV_CHECK(confirm_typed(session, after_leave ? question_after_leave(node, checked.body) : down_question(node, checked.body), node));
  body = {{"node", node}, {"is_powered_off", true}, {after_leave ? "was_let_go_on" : "nobody_let_it_carry_on", true}};
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/cluster/confirm-down", {}, body));
  if (session.json()) {
    session.print(outcome.body);
  } else if (!session.globals().quiet) {
    print_result(session, node, object_at(outcome.body, "result"), after_leave);
  }
  return 0;
}

}  // namespace

Command cluster_confirm_down() {
  return {.name = "cluster confirm-down",
          .summary = "confirm that the other node is powered off, so that this one may decide alone",
          .details = "After the other node is lost this one cannot know whether it is off or only out of reach: it holds the writes of its guests and starts nothing "
                     "replicated. This command is how you tell it. It asks you to confirm two facts: the other node is powered off, and nobody let it carry on alone "
                     "since the last contact. It is refused while the other node answers on any path.\n\n"
                     "Afterwards held writes go on, changes are stored on this node alone, and 'hvctl vm start VM' takes over a VM of the other node. When that node is "
                     "back it takes over what was decided here and its disks are resynchronised from this node. After a reboot of this node the facts are asked again.\n\n"
                     "On a node that left in order (an orderly reboot or power-off) and was not in contact since, the second fact is another one: the other node was let go "
                     "on, and what it wrote since is not here. That is for a node that is lost for good. Every replicated disk stays closed until its copy is accepted by "
                     "name: 'hvctl cluster accept-copy DISK'.\n\n"
                     "While the nodes hold two histories (see 'hvctl cluster diverged') and the other node is lost for good, this node goes on with its own history. A disk that "
                     "the other node may have written alone stays closed until its copy is accepted by name. Should that node be switched on after all, neither history is "
                     "overwritten: both stand again, and one has to be chosen.\n\n"
                     "--yes confirms both facts without asking.",
          .operands = {.name = "NODE", .min = 1, .max = 1, .completes = Completes::node},
          .routes = {{"POST", "/v1/cluster/confirm-down"}},
          .examples = {"hvctl cluster confirm-down B"},
          .run = run_cluster_confirm_down};
}

}  // namespace mcv::cli::commands
