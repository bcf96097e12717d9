// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

/// Quiet shows only what is not clean: an empty mail is a good mail.
void print_volumes(Session& session, const Json& volumes) {
  Table table({"VM", "VOLUME", "RESULT", "OUT OF SYNC", "WHAT"});
  for (const Json& volume : volumes) {
    const std::string verdict = text_at(volume, "verdict");
    if (session.globals().quiet && verdict == "clean") continue;
    table.add({text_at(volume, "vm"), text_at(volume, "volume"), Cell(verdict, tone_of(verdict)), verdict == "could-not-verify" ? "-" : size_text(number_at(volume, "out_of_sync_kib") * 1024),
               text_at(volume, "text")});
  }
  if (!table.empty()) session.out() << table.to_text(session.terminal().width, session.terminal().colour);
  else if (!session.globals().quiet) session.out() << "There are no replicated volumes to verify.\n";
}

void print_advice(Session& session, int code) {
  if (code == exit_mismatch) {
    session.err() << "The copies differ, or differed when the run was cut off (suspect). The VMs above neither start nor move until a clean verify; what runs keeps running.\n"
                     "  next: hvctl drbd list; then docs/operations.md, verify-mismatch\n";
  } else if (code == exit_not_verified) {
    session.err() << "Not every volume could be compared; the earlier results stand.\n  next: hvctl drbd list (both sides must be connected), then verify again\n";
  }
}

Result<int> finish_verify(Session& session, const Outcome& outcome) {
  if (outcome.kind != Outcome::Kind::ended) return session.finish(outcome, "");
  const Json& result = object_at(outcome.body, "result");
  if (session.json()) session.print({{"operation", outcome.body}});
  if (!result.contains("volumes")) {
    if (std::optional<Error> error = error_of_operation(outcome.body)) return std::move(*error);
  }
  const Json& volumes = list_at(result, "volumes");
  const int code = exit_code_of_volumes(volumes);
  if (!session.json()) {
    print_volumes(session, volumes);
    print_advice(session, code);
  }
  // A run that compared all it reports and still failed did not end as it should.
  return code == 0 && text_at(outcome.body, "state") != "succeeded" ? exit_not_verified : code;
}

Result<Outcome> verify_all(Session& session, const Arguments& arguments) {
  Json body = {{"all", true}};
  if (!arguments.has("--all")) body = {{"vms", arguments.names()}};
  return session.change("POST", "/v1/verify", {}, body);
}

Result<int> run(Session& session, const Arguments& arguments) {
  if (arguments.has("--all") == !arguments.names().empty()) {
    return Error(ErrorCode::bad_request, "name the VMs to verify, or say --all").with_safe("nothing was asked of mcvd").with_next("hvctl verify --all");
  }
  const Result<Outcome> outcome = verify_all(session, arguments);
  Result<int> code = outcome.ok() ? finish_verify(session, *outcome) : Result<int>(outcome.error());
  if (code.ok()) return code;
  // Nothing to compare is no trouble for a nightly job.
  if (arguments.has("--all") && code.error().code() == ErrorCode::not_found) {
    if (session.json()) session.print({{"volumes", Json::array()}});
    else print_volumes(session, Json::array());
    return 0;
  }
  session.print_error(arguments.names().empty() ? code.error() : session.with_suggestion(code.error(), Completes::vm, arguments.name()));
  return exit_code_of_failure(code.error());
}

}  // namespace

Command verify() {
  return {.name = "verify",
          .summary = "compare the two copies of replicated disks, block by block",
          .details = "Made for cron: goes on after a failure, sums up, and with --quiet prints only what is not clean. Guests may run meanwhile. A volume that was found to "
                     "differ, also by a run that did not end (suspect), keeps its VM from starting and moving until a clean verify.\n\n"
                     "Exit codes: 0 all clean, 20 a difference was found, 21 something could not be compared (and no difference was found).",
          .operands = {.name = "VM", .min = 0, .max = any_number, .completes = Completes::vm},
          .options = {{.name = "--all", .help = "every replicated disk"}},
          .also = {"vm verify", "drbd verify"},
          .routes = {{"POST", "/v1/verify"}},
          .examples = {"hvctl verify --all", "hvctl verify vm1 vm2", "hvctl verify --all --quiet"},
          .run = run};
}

}  // namespace mcv::cli::commands
