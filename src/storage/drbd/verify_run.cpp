// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/verify_run.h"

#include <fmt/format.h>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/kernel_log.h"
#include "storage/drbd/proc_drbd.h"
#include "storage/drbd/resource_file.h"
#include "storage/drbd/tool_errors.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// For the progress display and the stall check only: what happened in between is in the kernel's log.
constexpr host::Duration verify_poll = 1s;
constexpr host::Duration stall_bound = 300s;
/// A verify that was told to stop ends with the next block; more is a kernel that does not answer.
constexpr host::Duration stop_bound = 30s;
constexpr std::string_view was_cancelled = "it was cancelled";

bool is_verify_state(const std::string& state) { return state == "VerifyS" || state == "VerifyT"; }

Status check_startable(const VolumeName& volume, const ResourceFacts* resource) {
  const std::string status = fmt::format("drbdsetup status {}", resource_name(volume));
  if (resource == nullptr || !resource->minor) {
    return Error(ErrorCode::not_found, fmt::format("volume {} is not configured in the kernel of this node", volume.str())).with_next(status);
  }
  const VolumeFacts& facts = resource->facts;
  if (!facts.redundant()) {
    return Error(ErrorCode::not_up_to_date, fmt::format("volume {} cannot be verified now: {}", volume.str(), describe(resource))).with_next(status);
  }
  if (facts.replication != ReplicationState::established) {
    return Error(ErrorCode::busy, fmt::format("volume {} is busy: {}", volume.str(), to_text(facts.replication)))
        .with_safe("the running one goes on")
        .with_next(status);
  }
  return success();
}

asio::awaitable<Result<std::string>> journal_end(host::Host& host) {
  host::Command last = commands::last_kernel_line();
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(last)));
  MCV_CO_TRY(const std::vector<KernelLine> lines, parse_kernel_log(text));
  if (lines.empty()) co_return Error(ErrorCode::verify_incomplete, "the journal keeps no kernel messages: differences could not be located");
  co_return lines.back().cursor;
}

/// The device's line of /proc/drbd; nullopt when the kernel has no such minor.
asio::awaitable<Result<std::optional<ProcDevice>>> look_at_device(host::Host& host, std::uint32_t minor) {
  MCV_CO_TRY(const std::string text, co_await host.files.read("/proc/drbd"));
  MCV_CO_TRY(const ProcDrbd drbd, parse_proc_drbd(text));
  std::optional<ProcDevice> device;
  if (const auto found = drbd.devices.find(minor); found != drbd.devices.end()) device = found->second;
  co_return device;
}

/// Starting again while it runs changes its stop sector, which is behind it: it ends with the next block.
asio::awaitable<Status> ask_to_stop(host::Host& host, std::uint32_t minor) {
  host::Command stop = commands::verify(minor, 0, 8);
  MCV_CO_TRY(const std::string stopped, co_await host::run_ok(host.processes, std::move(stop)));
  co_return success();
}

bool is_interrupted(const VerifyHooks& hooks) { return hooks.interrupted && hooks.interrupted(); }

/// Returns when the kernel is not verifying any more. The command has returned, so it was: a pass shorter than a look
/// is over by then, and its traces are in the log.
asio::awaitable<Status> wait_for_end(host::Host& host, DrbdMonitor& monitor, std::uint32_t minor, unsigned round, std::uint64_t marked_kib, VerifyHooks hooks) {
  host::Instant moved = host.clock.now();
  std::uint64_t left = 0;
  bool told = false;
  bool asked_to_stop = false;
  for (;;) {
    MCV_CO_TRY(const std::optional<ProcDevice> device, co_await look_at_device(host, minor));
    const bool goes_on = device && is_verify_state(device->connection_state);
    // Without the peer a guest's writes are counted as well.
    const bool counts = goes_on || (device && device->connection_state == "Connected");
    if (hooks.found && !told && counts && device->out_of_sync_kib > marked_kib) {
      told = true;
      std::vector<SectorRange> not_located;
      co_await hooks.found(std::move(not_located));
    }
    if (!goes_on) co_return success();
    if (!asked_to_stop && is_interrupted(hooks)) {
      asked_to_stop = true;
      moved = host.clock.now();
      MCV_CO_CHECK(co_await ask_to_stop(host, minor));
      continue;
    }
    if (asked_to_stop && host.clock.now() - moved > stop_bound) co_return Error(ErrorCode::verify_incomplete, "DRBD does not end the verify that was cancelled");
    if (device->progress) {
      const Progress& now = *device->progress;
      if (now.left_kib != left && !asked_to_stop) moved = host.clock.now();
      left = now.left_kib;
      VerifyProgress shown;
      shown.round = round;
      shown.percent = now.percent;
      shown.kib_per_second = now.kib_per_second;
      if (hooks.progress) hooks.progress(shown);
    }
    if (host.clock.now() - moved > stall_bound) {
      co_return Error(ErrorCode::verify_incomplete, "DRBD made no progress for five minutes");
    }
    co_await monitor.wait_for_change(verify_poll);
  }
}

asio::awaitable<Result<VerifyPass>> run_pass(host::Host& host, DrbdMonitor& monitor, VolumeName volume, std::uint32_t minor, Verification::Pass pass,
                                             std::string cursor, VerifyHooks hooks) {
  MCV_CO_TRY(const std::optional<ProcDevice> before, co_await look_at_device(host, minor));
  host::Command start = commands::verify(minor, pass.start, pass.stop);
  const host::Argv argv = start.argv;
  MCV_CO_TRY(const host::ProcessResult started, co_await host.processes.run(std::move(start)));
  if (!started.ok()) co_return error_of(volume, argv, started);
  const std::uint64_t marked_kib = before ? before->out_of_sync_kib : 0;
  MCV_CO_CHECK(co_await wait_for_end(host, monitor, minor, pass.round, marked_kib, std::move(hooks)));
  host::Command sync = commands::sync_journal();
  MCV_CO_TRY(const std::string synced, co_await host::run_ok(host.processes, std::move(sync)));
  host::Command read = commands::kernel_log_after(cursor);
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(read)));
  MCV_CO_TRY(const std::vector<KernelLine> lines, parse_kernel_log(text));
  VerifyPass read_back = read_pass(lines, minor, resource_name(volume));
  // New marks without a line that says where: the journal lost some.
  const std::uint64_t explained_kib = marked_kib + sectors_in(read_back.ranges) / 2;
  if (read_back.marked_blocks * 4 > explained_kib) {
    co_return Error(ErrorCode::verify_incomplete, fmt::format("differences were found and the journal lost where: {} KiB are marked, {} KiB are explained",
                                                              read_back.marked_blocks * 4, explained_kib));
  }
  co_return read_back;
}

}  // namespace

asio::awaitable<Result<VerifyResult>> run_verify(host::Host& host, DrbdMonitor& monitor, VolumeName volume, Verification::Settings settings,
                                                 VerifyHooks hooks) {
  Condition known = [](const ResourceFacts*) { return true; };
  MCV_CO_TRY(const ResourceFacts first, co_await monitor.wait_until(volume, std::move(known), 10s, "known"));
  MCV_CO_CHECK(check_startable(volume, monitor.find(volume)));
  const std::uint32_t minor = first.minor.value_or(0);
  Verification verification(settings);
  while (const std::optional<Verification::Pass> pass = verification.next()) {
    const Result<std::string> cursor = co_await journal_end(host);
    if (!cursor.ok()) {
      verification.failed(cursor.error().message());
      break;
    }
    if (is_interrupted(hooks)) {
      verification.failed(std::string(was_cancelled));
      break;
    }
    // Between two passes the connection may have gone and come back, and a resync may have repaired what was found.
    const Status still = check_startable(volume, monitor.find(volume));
    const ResourceFacts* now = monitor.find(volume);
    if (!still.ok() || now->connection_losses != first.connection_losses) {
      verification.failed(still.ok() ? "the connection between the nodes was lost during the run" : still.error().message());
      break;
    }
    const Result<VerifyPass> ended = co_await run_pass(host, monitor, volume, minor, *pass, *cursor, hooks);
    if (ended.ok()) {
      verification.ended(*ended);
    } else {
      // What nobody watches is not left running: it would be in the way of the next one.
      const Status stopped = co_await stop_verify(host, monitor, volume);
      verification.failed(stopped.ok() ? ended.error().message() : fmt::format("{}; it may still run, for it could not be stopped: {}", ended.error().message(), stopped.error().message()));
    }
    if (hooks.found && pass->round == 0 && ended.ok() && !ended->ranges.empty()) {
      std::vector<SectorRange> located = ended->ranges;
      co_await hooks.found(std::move(located));
    }
    if (!verification.next()) break;
    // The end's event may come after the log's lines; a second start too early would be taken for part of this pass.
    Condition idle = [](const ResourceFacts* facts) {
      return facts == nullptr || (facts->facts.replication != ReplicationState::verify_source && facts->facts.replication != ReplicationState::verify_target);
    };
    const Result<ResourceFacts> rested = co_await monitor.wait_until(volume, std::move(idle), 10s, "idle after the verify");
    if (!rested.ok()) verification.failed(rested.error().message());
  }
  co_return verification.result();
}

asio::awaitable<Status> stop_verify(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  if (!monitor.complete()) {
    // This daemon has just begun. Without a module there is nothing to stop.
    Condition known = [](const ResourceFacts*) { return true; };
    const auto looked = co_await monitor.wait_until(volume, std::move(known), 10s, "known");
    if (!looked.ok()) co_return success();
  }
  const ResourceFacts* now = monitor.find(volume);
  if (now == nullptr || !now->minor || now->facts.replication != ReplicationState::verify_source) co_return success();
  MCV_CO_CHECK(co_await ask_to_stop(host, *now->minor));
  Condition ended = [](const ResourceFacts* facts) { return facts == nullptr || facts->facts.replication != ReplicationState::verify_source; };
  MCV_CO_TRY(const ResourceFacts rested, co_await monitor.wait_until(volume, std::move(ended), stop_bound, "idle after the verify"));
  co_return success();
}

Verdict verdict_of(const VerifyResult& result, std::int64_t wall_seconds, const NodeName& node) {
  Verdict verdict;
  verdict.kind = result.outcome == VerifyOutcome::clean ? VerdictKind::clean : VerdictKind::mismatch;
  verdict.wall_seconds = wall_seconds;
  verdict.node = node.str();
  if (verdict.kind == VerdictKind::mismatch) verdict.ranges = result.ranges;
  return verdict;
}

}  // namespace mcv::drbd
