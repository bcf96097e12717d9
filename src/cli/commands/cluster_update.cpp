// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/session.h"

namespace mcv::cli::commands {

Status confirm_peer_loss(Session& session, const std::string& policy) {
  MCV_CHECK(check_one_of("--peer-loss", policy, {"freeze", "run-alone"}));
  if (policy != "run-alone") return success();
  return confirm_typed(session,
                       "With run-alone a node that loses the other one lets its own guests write on, on its own copy only.\n"
                       "What this may lose: if that node is lost too before the copies are equal again, everything written\n"
                       "meanwhile, although the guests were told that it is on disk. The other node then has an older copy, which it\n"
                       "opens only when you type so for each disk (hvctl cluster accept-copy). With freeze nothing is ever lost, but\n"
                       "the writes stand still until the other node is back or you confirm that it is off.\n",
                       "run-alone");
}

namespace {

Result<int> run_cluster_update(Session& session, const Arguments& arguments) {
  Json body = Json::object();
  std::vector<std::string> done;
  if (arguments.has("--peer-loss")) {
    const std::string policy = arguments.value("--peer-loss");
    MCV_CHECK(confirm_peer_loss(session, policy));
    body["peer_loss"] = policy;
    done.push_back(fmt::format("When a node loses the other one: {}.", policy));
  }
  if (arguments.has("--verify-age")) {
    const std::string age = arguments.value("--verify-age");
    std::uint64_t seconds = 0;
    if (age != "off") {
      MCV_TRY(seconds, parse_age("--verify-age", age));
    }
    body["verify_age_seconds"] = seconds;
    done.push_back(age == "off" ? "No alarm about old verifies." : fmt::format("Alarm when the last verify of a disk is older than {}.", days_text(static_cast<std::int64_t>(seconds))));
  }
  if (arguments.has("--verify-parallel")) {
    MCV_TRY(const std::uint32_t count, parse_count("--verify-parallel", arguments.value("--verify-parallel"), 8));
    body["verify_parallel"] = count;
    done.push_back(fmt::format("Disks verified at once: {}.", count));
  }
  if (arguments.has("--verify-calendar")) {
    const std::string calendar = arguments.value("--verify-calendar");
    body["verify_calendar"] = calendar;
    done.push_back(calendar == "off" ? "No verifies by timer." : fmt::format("Verifies by timer, on whichever node is there: {}.", calendar));
  }
  if (body.empty()) {
    return Error(ErrorCode::bad_request, "name a setting to change").with_safe("nothing was asked of mcvd").with_next("hvctl cluster update --help");
  }
  MCV_TRY(const Outcome outcome, session.change("PATCH", "/v1/cluster", {}, body));
  return session.finish(outcome, fmt::format("{}", fmt::join(done, "\n")));
}

}  // namespace

Command cluster_update() {
  return {.name = "cluster update",
          .summary = "change what holds for the whole cluster",
          .details = "--peer-loss decides what a node does with its own guests' replicated disks when the other node is lost and nobody decides. With freeze, as long as nobody "
                     "changed it, the writes stand still until the other node is back or 'hvctl cluster confirm-down'; none is ever lost. With run-alone they go on within "
                     "seconds, on one copy: if that node is lost as well, what was written meanwhile is lost, and the other node's older copy is opened only by 'hvctl cluster "
                     "accept-copy' for each disk. Neither lets a node start a VM of the other one by itself, nor change the configuration alone.\n\n"
                     "--verify-age: 'hvctl info', 'hvctl drbd list' and the journal say when the copies of a replicated disk were not compared for longer (30 days, as long as nobody "
                     "changed it). --verify-parallel: how many disks a verify compares at once; each takes bandwidth of its own. "
                     "--verify-calendar: when the timers of both nodes compare all disks, in one run; as systemd.time(7) has it.\n\n"
                     "Both nodes have to be there.",
          .options = {{.name = "--peer-loss", .value = "freeze|run-alone", .help = "what a node does when the other one is lost"},
                      {.name = "--verify-age", .value = "TIME|off", .help = "alarm when the last verify of a disk is older: 30d, 12h"},
                      {.name = "--verify-parallel", .value = "N", .help = "disks that a verify compares at once, 1 to 8"},
                      {.name = "--verify-calendar", .value = "WHEN|off", .help = "when all disks are verified by timer: 'Sun 02:00'"}},
          .routes = {{"PATCH", "/v1/cluster"}},
          .examples = {"hvctl cluster update --peer-loss run-alone", "hvctl cluster update --verify-age 14d --verify-parallel 2", "hvctl cluster update --verify-calendar 'Sun 02:00'"},
          .run = run_cluster_update};
}

}  // namespace mcv::cli::commands
