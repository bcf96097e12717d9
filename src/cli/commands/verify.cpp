// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

#include "cli/commands/ages.h"
#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/table.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

/// What cron sees: anything that kept the comparison from being made is one code, mistakes of the caller keep theirs.
int exit_code_of_failure(const Error& error) {
  if (error.code() == ErrorCode::verify_mismatch) return exit_mismatch;
  switch (error.kind()) {
    case ErrorKind::invalid_request:
    case ErrorKind::denied:
    case ErrorKind::not_found: return exit_code_of(error.kind());
    default: return exit_not_verified;
  }
}

int exit_code_of_volumes(const Json& volumes) {
  int code = 0;
  for (const Json& volume : volumes) {
    const std::string verdict = text_at(volume, "verdict");
    if (verdict == "mismatch" || verdict == "suspect") return exit_mismatch;
    if (verdict != "clean") code = exit_not_verified;
  }
  return code;
}

/// A verify that was joined may compare more than what was asked for here.
Json chosen_volumes(const Json& volumes, const std::vector<std::string>& vms) {
  Json chosen = Json::array();
  for (const Json& volume : volumes) {
    if (vms.empty() || std::find(vms.begin(), vms.end(), text_at(volume, "vm")) != vms.end()) chosen.push_back(volume);
  }
  return chosen;
}

/// "5 disks of 3 VMs: 4 clean, 1 could not be compared"
std::string sum_text(const Json& volumes) {
  std::set<std::string> vms;
  std::map<std::string, std::size_t> counts;
  for (const Json& volume : volumes) {
    vms.insert(text_at(volume, "vm"));
    ++counts[text_at(volume, "verdict")];
  }
  std::vector<std::string> words;
  for (const auto& [verdict, word] : {std::pair{"clean", "clean"}, {"mismatch", "mismatch"}, {"suspect", "suspect"}, {"could-not-verify", "not compared"}}) {
    if (counts[verdict] > 0) words.push_back(fmt::format("{} {}", counts[verdict], word));
  }
  return fmt::format("{} {} of {} {}: {}", volumes.size(), volumes.size() == 1 ? "disk" : "disks", vms.size(), vms.size() == 1 ? "VM" : "VMs", fmt::join(words, ", "));
}

/// Quiet shows only what is not clean: an empty mail is a good mail.
void print_verdicts(Session& session, const Json& volumes) {
  Table table({"VM", "VOLUME", "RESULT", "OUT OF SYNC", "WHAT"});
  for (const Json& volume : volumes) {
    const std::string verdict = text_at(volume, "verdict");
    if (session.globals().quiet && verdict == "clean") continue;
    table.add({text_at(volume, "vm"), text_at(volume, "volume"), Cell(verdict, tone_of(verdict)), verdict == "could-not-verify" ? "-" : size_text(number_at(volume, "out_of_sync_kib") * 1024),
               text_at(volume, "text")});
  }
  if (!table.empty()) {
    session.out() << table.to_text(session.terminal().width, session.terminal().colour);
    if (volumes.size() > 1) session.out() << sum_text(volumes) << '\n';
  } else if (!session.globals().quiet) session.out() << "There are no replicated volumes to verify.\n";
}

void print_advice(Session& session, int code) {
  if (code == exit_mismatch) {
    session.err() << "The copies differ, or differed when the run was cut off (suspect). The VMs above neither start nor move until a clean verify; what runs keeps running.\n"
                     "  next: hvctl resync VM, which shows first what it would copy, then hvctl verify VM; man mcv-errors, verify-mismatch\n";
  } else if (code == exit_not_verified) {
    session.err() << "Not every volume could be compared; the earlier results stand.\n  next: hvctl drbd list (both sides must be connected), then verify again\n";
  }
}

Result<int> finish_verify(Session& session, const Outcome& outcome, const std::vector<std::string>& vms) {
  if (outcome.kind != Outcome::Kind::ended) return session.finish(outcome, "");
  const Json& result = object_at(outcome.body, "result");
  if (session.json()) session.print({{"operation", outcome.body}});
  if (!result.contains("volumes")) {
    if (std::optional<Error> error = error_of_operation(outcome.body)) return std::move(*error);
  }
  const Json volumes = chosen_volumes(list_at(result, "volumes"), vms);
  const int code = exit_code_of_volumes(volumes);
  if (!session.json()) {
    print_verdicts(session, volumes);
    print_advice(session, code);
  }
  // A run that compared all it reports and still failed did not end as it should.
  return code == 0 && text_at(outcome.body, "state") != "succeeded" ? exit_not_verified : code;
}

Result<Outcome> verify_vms(Session& session, const Arguments& arguments, const std::vector<std::string>& vms) {
  Json body = {{"all", true}};
  if (!vms.empty()) body = {{"vms", vms}};
  if (arguments.has("--scheduled")) body["scheduled"] = true;
  MCV_TRY(Outcome begun, session.submit("POST", "/v1/verify", {}, body));
  if (flag_at(begun.body, "joined") && !session.globals().quiet && !session.json()) {
    session.err() << fmt::format("A verify that compares this runs already: its result is this one's ({}).\n", text_at(begun.body, "id"));
  }
  return session.follow(std::move(begun));
}

std::string history_result(const Json& run) {
  const auto blocks = number_at(run, "blocks");
  const std::string result = text_at(run, "result");
  return blocks == 0 ? result : fmt::format("{}, {} {} in {} {}", result, blocks, blocks == 1 ? "block" : "blocks", number_at(run, "range_count"), number_at(run, "range_count") == 1 ? "range" : "ranges");
}

Result<int> show_history(Session& session, const Arguments& arguments) {
  std::vector<std::string> names = arguments.names();
  if (names.empty()) names.emplace_back();
  Json runs = Json::array();
  Json answer;
  for (const std::string& name : names) {
    Result<Json> found = session.get("/v1/verify/history", {}, name.empty() ? std::string() : "name=" + percent_encoded(name));
    if (!found.ok()) return session.with_suggestion(std::move(found).error(), Completes::vm, name);
    answer = std::move(*found);
    for (const Json& run : list_at(answer, "runs")) runs.push_back(run);
  }
  if (session.json()) {
    answer["runs"] = std::move(runs);
    session.print(answer);
    return 0;
  }
  Table table({"DISK", "BEGAN", "TOOK", "RESULT", "BY", "NODE", "OPERATION", "WHAT"});
  for (const Json& run : runs) {
    const std::string result = text_at(run, "result");
    const auto took = static_cast<std::int64_t>(number_at(run, "seconds"));
    const bool has_ended = result != "running" && result != "unknown" && result != "cut-off";
    table.add({text_at(run, "volume"), time_text(static_cast<std::int64_t>(number_at(run, "wall_seconds"))), has_ended ? duration_text(took) : "-", Cell(history_result(run), tone_of(result)),
               or_dash(text_at(run, "asked_by")), text_at(run, "node"), or_dash(text_at(run, "operation")), result == "clean" ? "-" : or_dash(text_at(run, "text"))});
  }
  if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  else if (!session.globals().quiet) session.out() << "No verify is on record.\n";
  return 0;
}

struct Known {
  std::vector<std::string> vms;
  int exit_code = 0;  ///< for those that were left out
};

/// A VM that is not there keeps no other from being compared: a line of cron outlives it.
Result<Known> leave_out_unknown(Session& session, const std::vector<std::string>& typed) {
  std::set<std::string> there;
  MCV_CHECK(session.list("/v1/vms", "view=brief", "vms", [&there](const Json& vm) { there.insert(text_at(vm, "name")); }));
  Known known;
  for (const std::string& name : typed) {
    if (there.contains(name)) {
      known.vms.push_back(name);
      continue;
    }
    const Error error = Error(ErrorCode::not_found, fmt::format("there is no VM {}", name)).with_safe("what is there is compared").with_next("hvctl vm list");
    session.print_error(session.with_suggestion(error, Completes::vm, name));
    known.exit_code = exit_code_of(error.kind());
  }
  return known;
}

Result<int> run_verify(Session& session, const Arguments& arguments) {
  if (arguments.has("--history")) return show_history(session, arguments);
  if (arguments.has("--all") == !arguments.names().empty()) {
    return Error(ErrorCode::bad_request, "name the VMs to verify, or say --all").with_safe("nothing was asked of mcvd").with_next("hvctl verify --all");
  }
  Known known{arguments.names()};
  Result<Outcome> outcome = verify_vms(session, arguments, known.vms);
  if (!outcome.ok() && outcome.error().code() == ErrorCode::not_found && known.vms.size() > 1) {
    Result<Known> left = leave_out_unknown(session, known.vms);
    if (left.ok() && left->vms.empty()) return left->exit_code;
    if (left.ok() && left->exit_code != 0) {
      known = std::move(*left);
      outcome = verify_vms(session, arguments, known.vms);
    }
  }
  Result<int> code = outcome.ok() ? finish_verify(session, *outcome, known.vms) : Result<int>(outcome.error());
  if (code.ok()) return *code == 0 ? known.exit_code : *code;
  // Nothing to compare is no trouble for a nightly job.
  if (arguments.has("--all") && code.error().code() == ErrorCode::not_found) {
    if (session.json()) session.print({{"volumes", Json::array()}});
    else print_verdicts(session, Json::array());
    return 0;
  }
  session.print_error(session.with_suggestion(code.error(), arguments));
  return exit_code_of_failure(code.error());
}

}  // namespace

Command verify() {
  return {.name = "verify",
          .summary = "compare the two copies of replicated disks, block by block",
          .details = "Made for cron: goes on after a failure, sums up, and with --quiet prints only what is not clean. Guests may run meanwhile. A volume that was found to "
                     "differ, also by a run that did not end (suspect), keeps its VM from starting and moving until a clean verify.\n\n"
                     "Verifies of a pair never run side by side, on whichever node they are typed. One that compares all that is asked for and has not come to it yet answers for "
                     "both; otherwise the later one waits for its turn. 'hvctl cluster update --verify-parallel N' lets one verify compare several disks at once.\n\n"
                     "--history shows the last runs of each disk, of VMs or of disks by name: when, how long, who asked, from which node, and what was found.\n\n"
                     "Exit codes: 0 all clean, 20 a difference was found, 21 something could not be compared (and no difference was found), 4 all that is there is clean, and a named VM is not there.",
          .operands = {.name = "VM", .min = 0, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--all", .help = "every replicated disk"},
                      {.name = "--scheduled", .help = "for timers and cron: also takes the result of a run that has compared the disk already"},
                      {.name = "--history", .help = "show past runs, of all disks or of the named VMs or disks"}},
          .also = {"vm verify", "drbd verify"},
          .routes = {{"POST", "/v1/verify"}, {"GET", "/v1/verify/history"}},
          .examples = {"hvctl verify --all", "hvctl verify vm1 vm2", "hvctl verify --all --quiet --scheduled", "hvctl verify --history vm1"},
          .run = run_verify};
}

}  // namespace mcv::cli::commands
