// SPDX-License-Identifier: Apache-2.0
// volume.verify, verify.together, verify.summary: replicas compared, one volume or several at once.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <spdlog/spdlog.h>

#include "cluster/host/race.h"
#include "cluster/host/wakeup.h"
#include "cluster/plans/verify_plan.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "storage/drbd/verify_run.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

struct VerifyStep {
  std::vector<VolumeRecord> volumes;
  std::string asked_by;
};

Result<VerifyStep> verify_step(const StepContext& context) {
  Fields fields(context.params, "verify step");
  const Json* volume = fields.object("volume", false);
  const Json* volumes = fields.array("volumes", false);
  VerifyStep step;
  step.asked_by = fields.optional_or<std::string>("asked_by", "");
  MCV_CHECK(fields.finish());
  if (volume != nullptr) {
    MCV_TRY(VolumeRecord record, VolumeRecord::from_json(*volume));
    step.volumes.push_back(std::move(record));
  }
  if (volumes != nullptr) {
    for (const Json& item : *volumes) {
      MCV_TRY(VolumeRecord record, VolumeRecord::from_json(item));
      step.volumes.push_back(std::move(record));
    }
  }
  return step;
}

Json ranges_json(const std::vector<SectorRange>& ranges) {
  Json list = Json::array();
  for (const SectorRange& range : ranges) list.push_back({{"start", range.start}, {"count", range.count}});
  return list;
}

Json verify_result(const VolumeRecord& volume, RunEnd end, std::string text, const drbd::VerifyResult& result) {
  return {{"vm", volume.vm.str()},   {"volume", volume.name.str()}, {"verdict", to_text(end)},
          {"text", std::move(text)}, {"ranges", ranges_json(result.ranges)}, {"out_of_sync_kib", result.out_of_sync_kib}};
}

/// How one run ended.
struct Ended {
  RunEnd end = RunEnd::could_not_verify;
  std::string text;
  drbd::VerifyResult result;
};

/// The verdict goes into the shared configuration, after everything this node knows.
asio::awaitable<Status> keep_verdict(Node& node, VolumeRecord volume, drbd::VerifyResult result) {
  volume.verdict = drbd::verdict_of(result, node.host.clock.wall_seconds(), node.self());
  volume.verdict.after = stamp_of(node.shared.position());
  Change change;
  // Another one each time: a run that is made anew after a crash must not be answered with the verdict of the one before.
  change.id = node.host.random.uuid();
  change.summary = fmt::format("verify of {}: {}", volume.name.str(), to_text(volume.verdict.kind));
  Json fields = {{"verdict", volume.to_json().at("verdict")}};
  change.mutations.push_back(patch(Kind::volume, volume.name.str(), std::move(fields)));
  auto proposed = co_await node.shared.propose(std::move(change));
  if (!proposed.ok()) co_return std::move(proposed).error();
  co_return success();
}

/// Before it is known how the run ends, because this process may not see the end of it.
asio::awaitable<void> close_gate(Node& node, VolumeRecord volume, std::vector<SectorRange> ranges) {
  const Status closed = co_await node.verify_gate.close(std::move(volume), std::move(ranges), "");
  static_cast<void>(closed);  // logged there, and closed all the same
}

/// A run that ends without a shared verdict. When it saw differences they are durable here before anything is answered.
asio::awaitable<Ended> without_verdict(Node& node, VolumeRecord volume, drbd::VerifyResult result, bool differed, std::string reason) {
  Ended ended;
  ended.result = result;
  if (!differed) {
    const bool earlier = node.verify_gate.is_suspect(volume.name);
    ended.text = earlier ? reason + "; an earlier run found differences, so it stays suspect" : reason;
    co_return ended;
  }
  const Status closed = co_await node.verify_gate.close(volume, result.ranges, reason);
  ended.end = RunEnd::suspect;
  ended.text = fmt::format("differences were found and the run did not end: {}; {} does not start or move until a clean verify", reason, volume.vm.str());
  if (!closed.ok()) ended.text += fmt::format("; this could not be stored and holds only until mcvd restarts: {}", closed.error().message());
  co_return ended;
}

using Tell = std::function<void(int percent, std::string text)>;

asio::awaitable<Ended> compare(Node& node, VolumeRecord volume, std::function<bool()> interrupted, Tell tell) {
  // A run that this operation had begun before mcvd ended: nobody watched it, so it is made anew.
  const Status stopped = co_await drbd::stop_verify(node.host, node.drbd, volume.name);
  if (!stopped.ok()) spdlog::warn("a verify of {} that runs already could not be stopped: {}", volume.name.str(), stopped.error().message());
  drbd::VerifyHooks hooks;
  hooks.progress = [tell, name = volume.name.str()](const drbd::VerifyProgress& now) {
    tell(static_cast<int>(now.percent), fmt::format("{}{}: {}/s", now.round == 0 ? "comparing " : "re-checking ", name, Bytes::kib(now.kib_per_second).to_text()));
  };
  const auto differed = std::make_shared<bool>(false);
  hooks.interrupted = std::move(interrupted);
  hooks.found = [&node, differed, volume](std::vector<SectorRange> ranges) {
    *differed = true;
    return close_gate(node, volume, std::move(ranges));
  };
  const drbd::Verification::Settings settings;
  auto result = co_await drbd::run_verify(node.host, node.drbd, volume.name, settings, std::move(hooks));
  if (!result.ok()) {
    const drbd::VerifyResult nothing;
    Ended unknown = co_await without_verdict(node, volume, nothing, *differed, result.error().message());
    co_return unknown;
  }
  const drbd::VerifyResult compared = *result;
  const bool doubtful = *differed || !compared.ranges.empty();
  if (compared.outcome == drbd::VerifyOutcome::could_not_verify) {
    Ended unknown = co_await without_verdict(node, volume, compared, doubtful, compared.reason);
    co_return unknown;
  }
  const Status kept = co_await keep_verdict(node, volume, compared);
  if (!kept.ok()) {
    std::string reason = "the verdict could not be recorded: " + kept.error().message();
    Ended unknown = co_await without_verdict(node, volume, compared, doubtful, std::move(reason));
    co_return unknown;
  }
  co_await node.verify_gate.tidy();
  Ended ended;
  ended.result = compared;
  const bool is_clean = compared.outcome == drbd::VerifyOutcome::clean;
  ended.end = is_clean ? RunEnd::clean : RunEnd::mismatch;
  ended.text = is_clean ? "both sides are equal" : fmt::format("{} {}; {} does not start or move until that is repaired", compared.ranges.size(), compared.ranges.size() == 1 ? "range differs" : "ranges differ", volume.vm.str());
  co_return ended;
}

/// For a run that is made anew: mcvd was not there, often with its machine, and the copies need a moment until both are current again.
asio::awaitable<void> wait_for_redundancy(Node& node, VolumeName volume, std::function<bool()> interrupted, Tell tell) {
  constexpr std::chrono::seconds at_most{60};
  constexpr std::chrono::seconds between_questions{2};  // of a cancellation, which is not told
  const host::Instant deadline = node.host.clock.now() + at_most;
  while (!interrupted() && node.host.clock.now() < deadline) {
    tell(0, fmt::format("waiting until both copies of {} are current", volume.str()));
    drbd::Condition is_redundant = [](const drbd::ResourceFacts* seen) { return seen != nullptr && seen->facts.redundant(); };
    const auto seen = co_await node.drbd.wait_until(volume, std::move(is_redundant), between_questions, "redundant");
    if (seen.ok()) co_return;
  }
}

/// One volume, with what becomes of it in the history. Never fails: one that cannot be compared must not keep the others from it.
asio::awaitable<Json> verify_volume(Node& node, VolumeRecord volume, std::string operation, std::string asked_by, std::function<bool()> interrupted, Tell tell) {
  VerifyHistory::Begun begun = co_await node.verify_history.begin(volume, std::move(operation), std::move(asked_by));
  if (begun.is_anew) co_await wait_for_redundancy(node, volume.name, interrupted, tell);
  const Ended ended = co_await compare(node, volume, std::move(interrupted), std::move(tell));
  begun.run.end = ended.end;
  begun.run.text = ended.text;
  begun.run.set_ranges(ended.result.ranges);
  begun.run.equal_on_recheck_blocks = (ended.result.equal_on_recheck_sectors + 7) / 8;
  co_await node.verify_history.end(std::move(begun));
  Json result = verify_result(volume, ended.end, ended.text, ended.result);
  co_return result;
}

asio::awaitable<void> until_end(Operations& operations, OperationId other) { co_await operations.wait_end(std::move(other)); }

/// Verifies go one after the other, in the order they came. False when the operation was cancelled meanwhile.
asio::awaitable<bool> wait_for_turn(Node& node, OperationId own, Progress progress, std::function<bool()> interrupted) {
  for (;;) {
    const auto before = plans::verify_before(node.operations.unfinished(plans::verify_kind), own);
    if (!before) co_return true;
    if (interrupted()) co_return false;
    progress(std::nullopt, fmt::format("waiting for the verify {}, which came first", before->str()));
    // A cancellation is not told: it is asked for now and then.
    auto their_end = until_end(node.operations, *before);
    auto pause = node.host.clock.sleep_for(std::chrono::seconds(1));
    co_await host::race(std::move(their_end), std::move(pause));
  }
}

Error cancelled_while_waiting() { return Error(ErrorCode::cancelled, "it was cancelled before its turn came").with_safe("nothing was compared"); }

/// Several runs, each a task of its own.
struct Together {
  explicit Together(asio::any_io_executor executor) : changed(std::move(executor)) {}
  host::Wakeup changed;
  std::size_t open = 0;
  Json results = Json::array();
  std::vector<int> percents;
  std::vector<std::string> texts;
};

asio::awaitable<void> verify_one_of(Node& node, std::shared_ptr<Together> together, std::size_t place, VolumeRecord volume, StepContext context, std::string asked_by) {
  Tell tell = [together, place, progress = context.progress](int percent, std::string text) {
    together->percents[place] = percent;
    together->texts[place] = std::move(text);
    progress(*std::min_element(together->percents.begin(), together->percents.end()), fmt::format("{}", fmt::join(together->texts, "; ")));
  };
  Json result = co_await verify_volume(node, std::move(volume), context.operation.str(), std::move(asked_by), context.interrupted, std::move(tell));
  together->results[place] = std::move(result);
  together->percents[place] = 100;
  --together->open;
  together->changed.notify();
}

asio::awaitable<Result<Json>> verify_volume(Node& node, StepContext context) {
  MCV_CO_TRY(const VerifyStep step, verify_step(context));
  if (step.volumes.size() != 1) co_return Error(ErrorCode::internal, "this step compares one volume");
  const bool is_our_turn = co_await wait_for_turn(node, context.operation, context.progress, context.interrupted);
  if (!is_our_turn) co_return cancelled_while_waiting();
  Tell tell = [progress = context.progress](int percent, std::string text) { progress(percent, std::move(text)); };
  Json result = co_await verify_volume(node, step.volumes.front(), context.operation.str(), step.asked_by, context.interrupted, std::move(tell));
  co_return result;
}

asio::awaitable<Result<Json>> verify_together(Node& node, StepContext context) {
  MCV_CO_TRY(const VerifyStep step, verify_step(context));
  const bool is_our_turn = co_await wait_for_turn(node, context.operation, context.progress, context.interrupted);
  if (!is_our_turn) co_return cancelled_while_waiting();
  const auto together = std::make_shared<Together>(node.host.executor);
  together->open = step.volumes.size();
  together->percents.assign(step.volumes.size(), 0);
  for (const VolumeRecord& volume : step.volumes) together->texts.push_back("comparing " + volume.name.str());
  for (std::size_t place = 0; place < step.volumes.size(); ++place) together->results.push_back(nullptr);
  for (std::size_t place = 0; place < step.volumes.size(); ++place) {
    node.tasks.spawn(verify_one_of(node, together, place, step.volumes[place], context, step.asked_by));
  }
  while (together->open > 0) co_await together->changed.wait();
  Json result = {{"verified", together->results}};
  co_return result;
}

asio::awaitable<Status> stop_verify(Node& node, StepContext context) {
  MCV_CO_TRY(const VerifyStep step, verify_step(context));
  // Its turn has not come: what runs is another one's.
  if (plans::verify_before(node.operations.unfinished(plans::verify_kind), context.operation)) co_return success();
  Status all = success();
  for (const VolumeRecord& volume : step.volumes) {
    Status stopped = co_await drbd::stop_verify(node.host, node.drbd, volume.name);
    if (!stopped.ok()) all = std::move(stopped);
  }
  co_return all;
}

asio::awaitable<Result<Json>> summarise(Node&, StepContext context) {
  Json volumes = Json::array();
  for (const Json& result : context.results) {
    if (!result.is_object()) continue;
    if (result.contains("verdict")) volumes.push_back(result);
    if (!result.contains("verified")) continue;
    for (const Json& one : result.at("verified")) volumes.push_back(one);
  }
  Json summary = {{"volumes", std::move(volumes)}};
  co_return summary;
}

}  // namespace

void add_verify_actions(Node& node) {
  add_action(node, "volume.verify", {verify_volume, stop_verify, never_asked});
  add_action(node, "verify.together", {verify_together, stop_verify, never_asked});
  add_action(node, "verify.summary", {summarise, nothing_to_undo, never_asked});
}

}  // namespace mcv
