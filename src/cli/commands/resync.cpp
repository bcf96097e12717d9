// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/commands/views.h"
#include "cli/render/confirm.h"
#include "cli/render/text.h"
#include "cli/session.h"

namespace mcv::cli::commands {
namespace {

constexpr std::uint64_t block_kib = 4;

std::string amount(const Json& volume) {
  const std::uint64_t marked = number_at(volume, "marked_kib");
  if (flag_at(volume, "full")) return fmt::format("all {}", size_text(number_at(volume, "size")));
  const std::uint64_t blocks = marked / block_kib;
  return fmt::format("{} ({} {})", size_text(marked * 1024), blocks, blocks == 1 ? "block" : "blocks");
}

/// Before anything is asked or done.
std::string explanation(const Json& resync) {
  std::string text;
  for (const Json& volume : list_at(resync, "volumes")) {
    text += fmt::format("{}: {} are copied from {} to {} ({}).\n", text_at(volume, "volume"), amount(volume), text_at(volume, "source"), text_at(volume, "target"), text_at(volume, "reason"));
  }
  return text + "What is overwritten is kept as a snapshot until the next clean verify.\n";
}

/// The first volume whose source is not the one the records name; nullptr when there is none.
const Json* against_records(const Json& resync) {
  const Json& volumes = list_at(resync, "volumes");
  const auto found = std::find_if(volumes.begin(), volumes.end(), [](const Json& volume) { return !flag_at(volume, "advised"); });
  return found == volumes.end() ? nullptr : &*found;
}

Result<int> follow(Session& session, const std::string& vm) {
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/vms/{name}/resync/follow", {vm}, Json::object()));
  return session.finish(outcome, fmt::format("The copies of {} are up to date. Its VM starts and moves again after a clean verify.\n  next: hvctl verify {}", vm, vm));
}

/// Two operations, one document.
Result<int> follow_for_scripts(Session& session, const std::string& vm, const Json& repair) {
  if (std::optional<Error> error = error_of_operation(repair)) {
    session.print({{"operation", repair}});
    return std::move(*error);
  }
  MCV_TRY(const Outcome outcome, session.change("POST", "/v1/vms/{name}/resync/follow", {vm}, Json::object()));
  session.print({{"operation", repair}, {"copy", outcome.body}});
  if (outcome.kind != Outcome::Kind::ended) return exit_left_running;
  if (std::optional<Error> error = error_of_operation(outcome.body)) return std::move(*error);
  return 0;
}

Result<int> run_resync(Session& session, const Arguments& arguments) {
  const std::string& vm = arguments.name();
  if (arguments.has("--follow")) {
    if (arguments.has("--source") || arguments.has("--full") || arguments.has("--disk")) {
      return Error(ErrorCode::bad_request, "--follow waits for a copy that runs, and goes with no other option").with_safe("nothing was asked of mcvd").with_next("hvctl resync --follow " + vm);
    }
    return follow(session, vm);
  }
  Json body = {{"full", arguments.has("--full")}, {"check_only", true}};
  if (arguments.has("--source")) body["source"] = arguments.value("--source");
  if (arguments.has("--disk")) body["volumes"] = arguments.values("--disk");
  Result<Outcome> checked = session.submit("POST", "/v1/vms/{name}/resync", {vm}, body);
  if (!checked.ok()) return session.with_suggestion(std::move(checked).error(), Completes::vm, vm);
  const Json resync = object_at(checked->body, "resync");
  if (!session.json() && !session.globals().quiet) session.out() << explanation(resync) << std::flush;
  if (checked->kind == Outcome::Kind::planned) return session.finish(*checked, "");
  if (const Json* against = against_records(resync)) {
    const std::string question = fmt::format("The copy of {} on {} is overwritten, against or without what is recorded: {}.", text_at(*against, "volume"), text_at(*against, "target"), text_at(*against, "reason"));
    MCV_CHECK(confirm_typed(session, question, text_at(*against, "source")));
    body["source_confirmed"] = true;
  }
  body["check_only"] = false;
  MCV_TRY(const Outcome begun, session.change("POST", "/v1/vms/{name}/resync", {vm}, body));
  if (begun.kind != Outcome::Kind::ended) return session.finish(begun, "");
  if (session.json()) return follow_for_scripts(session, vm, begun.body);
  MCV_TRY(const int code, session.finish(begun, "The copying has begun."));
  return code != 0 ? code : follow(session, vm);
}

}  // namespace

Command resync() {
  return {.name = "resync",
          .summary = "repair the copies of a VM's disks: copy what differs from the good side to the other",
          .details = "A verify marks the blocks in which the copies differ; this copies them. It first prints which side is copied from, why, and how much. The source is the node on "
                     "which the disk was last opened for writing; another one has to be typed in words (--yes does not ask), and so has any where the records do not say it. The side "
                     "that is overwritten must not be in use; on the source the VM may run. Before anything is overwritten an LVM snapshot of that side is taken: on a thin pool it "
                     "shares the pool's blocks, on a thick one it takes as much room as the disk and slows its writes. It is deleted by the next clean verify; hvctl storage "
                     "list-snapshots shows it.\n\n"
                     "Ctrl-C while the copy runs ends the waiting; the copy goes on, and --follow waits for it again. Cancelled before that (hvctl op cancel) nothing was changed.\n\n"
                     "The VM starts and moves again after a clean verify: hvctl verify VM.",
          .operands = {.name = "VM", .min = 1, .max = 1, .completes = Completes::vm},
          .options = {{.name = "--source", .value = "NODE", .help = "copy from this node's side", .completes = Completes::node},
                      {.name = "--disk", .value = "DISK", .help = "only this one of its disks", .repeatable = true, .completes = Completes::disk},
                      {.name = "--full", .help = "copy every block, not only those that are marked"},
                      {.name = "--follow", .help = "wait for a copy that runs already"}},
          .also = {"vm resync", "drbd resync"},
          .routes = {{"POST", "/v1/vms/{name}/resync"}, {"POST", "/v1/vms/{name}/resync/follow"}},
          .examples = {"hvctl resync vm1", "hvctl resync vm1 --dry-run", "hvctl resync vm1 --source B", "hvctl resync vm1 --full"},
          .run = run_resync};
}

}  // namespace mcv::cli::commands
