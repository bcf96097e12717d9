// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/repair.h"

#include <fmt/format.h>
#include <optional>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/generation_ids.h"
#include "storage/drbd/proc_drbd.h"
#include "storage/drbd/resource_file.h"
#include "storage/drbd/tool_errors.h"
#include "storage/drbd/volume_life.h"
#include "storage/drbd/volume_tools.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

constexpr host::Duration copy_lag = 10s;
constexpr host::Duration generation_pause = 200ms;
constexpr host::Duration repair_poll = 1s;
constexpr host::Duration marked_bound = 24h;

bool is_whole(const ResourceFacts* facts) {
  return facts != nullptr && facts->facts.redundant() && facts->facts.replication == ReplicationState::established;
}

bool is_given_up(const VolumeFacts& facts) {
  const auto lost = [](DiskState disk) { return disk == DiskState::diskless || disk == DiskState::failed; };
  return facts.connection == ConnectionState::connected && (lost(facts.disk) || lost(facts.peer_disk));
}

asio::awaitable<Status> begin_full_copy(host::Host& host, VolumeName volume) {
  host::Command command = commands::invalidate_remote(volume);
  const host::Argv argv = command.argv;
  MCV_CO_TRY(const host::ProcessResult done, co_await host.processes.run(std::move(command)));
  if (done.ok()) co_return success();
  co_return error_of(volume, argv, done);
}

}  // namespace

asio::awaitable<Result<std::string>> generation_of(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || !now->minor) co_return not_configured(volume);
  host::Command identify = commands::generation_identifiers(*now->minor);
  MCV_CO_TRY(const std::string identifiers, co_await host::run_ok(host.processes, std::move(identify)));
  co_return generation_from(identifiers);
}

asio::awaitable<Result<std::vector<std::string>>> generations_of(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || !now->minor) co_return not_configured(volume);
  host::Command identify = commands::generation_identifiers(*now->minor);
  MCV_CO_TRY(const std::string identifiers, co_await host::run_ok(host.processes, std::move(identify)));
  co_return all_generations_from(identifiers);
}

asio::awaitable<Result<std::string>> generation_on_disk(host::Host& host, VolumeName volume, std::uint32_t minor, std::string meta_disk) {
  host::Command read = commands::read_metadata(minor, meta_disk);
  const host::Argv argv = read.argv;
  MCV_CO_TRY(const host::ProcessResult metadata, co_await host.processes.run(std::move(read)));
  if (metadata.ok()) co_return generation_from(metadata.out);
  co_return Error(ErrorCode::metadata_missing, fmt::format("volume {}: the generation of the copy on {} cannot be read", volume.str(), meta_disk)).with_safe("it was not touched").with_next(host::to_shell_line(argv));
}

asio::awaitable<Status> diverge_from_peer(host::Host& host, DrbdMonitor& monitor, VolumeName volume, std::string before) {
  MCV_CO_TRY(const std::string first, co_await generation_of(host, monitor, volume));
  if (first != before) co_return success();
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  const VolumeFacts& facts = now->facts;
  if (facts.role != DiskRole::primary || facts.peer_role == DiskRole::primary || !is_whole(&*now)) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} is not the open side of a pair that is whole: {}", volume.str(), describe(&*now))).with_safe("neither copy was touched").with_next("hvctl drbd list");
  }
  MCV_CO_CHECK(co_await ensure_disconnected(host, monitor, volume));
  const host::Instant deadline = host.clock.now() + copy_lag;
  for (;;) {
    MCV_CO_TRY(const std::string after, co_await generation_of(host, monitor, volume));
    if (after != before) co_return success();
    if (host.clock.now() >= deadline) break;
    co_await host.clock.sleep_for(generation_pause);
  }
  co_return Error(ErrorCode::timed_out, fmt::format("volume {} began no new generation: {}", volume.str(), describe(monitor.find(volume)))).with_safe("neither copy was touched").with_next("hvctl drbd list");
}

asio::awaitable<Status> mark_all(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.connection == ConnectionState::standalone && now->facts.role == DiskRole::primary) {
    const Status marked = co_await begin_full_copy(host, volume);
    co_return marked;
  }
  // A daemon that started meanwhile connected it: what was marked is being copied, or an earlier attempt of this step began with all.
  if (now->facts.out_of_sync_kib * 1024 >= now->size.count() && now->size.count() != 0) co_return success();
  MCV_CO_CHECK(co_await ensure_connecting(host, monitor, volume));
  Condition whole = [](const ResourceFacts* facts) { return is_whole(facts); };
  MCV_CO_TRY(const ResourceFacts ready, co_await monitor.wait_until(volume, std::move(whole), marked_bound, "up to date on both nodes"));
  static_cast<void>(ready);
  MCV_CO_CHECK(co_await begin_full_copy(host, volume));
  const Status copying = co_await wait_copying(monitor, volume, copy_lag);
  co_return copying;
}

asio::awaitable<Status> wait_copying(DrbdMonitor& monitor, VolumeName volume, host::Duration bound) {
  Condition copying = [](const ResourceFacts* facts) {
    return is_whole(facts) || (facts != nullptr && (facts->facts.replication == ReplicationState::sync_source || facts->facts.replication == ReplicationState::paused_sync));
  };
  MCV_CO_TRY(const ResourceFacts reached, co_await monitor.wait_until(volume, std::move(copying), bound, "connected and copying"));
  static_cast<void>(reached);
  co_return success();
}

asio::awaitable<Status> follow_copy(host::Host& host, DrbdMonitor& monitor, VolumeName volume, CopyHooks hooks) {
  for (;;) {
    MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
    if (now && is_whole(&*now)) co_return success();
    if (now && now->minor && is_given_up(now->facts)) {
      const bool is_here = now->facts.disk == DiskState::diskless || now->facts.disk == DiskState::failed;
      co_return Error(ErrorCode::io_error, fmt::format("DRBD gave the disk of {} {} up: nothing is copied to it any more", volume.str(), is_here ? "on this node" : "on the other node"))
          .with_safe("the other copy was not touched, and the guest goes on with it")
          .with_next("hvctl drbd list names the node and what to do there");
    }
    if (hooks.interrupted && hooks.interrupted()) {
      co_return Error(ErrorCode::cancelled, fmt::format("nobody waits for the copy of {} any more", volume.str())).with_safe("the copy itself goes on").with_next("hvctl drbd list");
    }
    CopyProgress shown;
    shown.connected = now && now->facts.connection == ConnectionState::connected;
    if (now && now->minor) {
      MCV_CO_TRY(const std::string text, co_await host.files.read("/proc/drbd"));
      MCV_CO_TRY(const ProcDrbd drbd, parse_proc_drbd(text));
      const auto device = drbd.devices.find(*now->minor);
      if (device != drbd.devices.end() && device->second.progress && !device->second.progress->verify) {
        shown.percent = device->second.progress->percent;
        shown.left_kib = device->second.progress->left_kib;
        shown.kib_per_second = device->second.progress->kib_per_second;
      }
    }
    if (hooks.progress) hooks.progress(shown);
    co_await monitor.wait_for_change(repair_poll);
  }
}

}  // namespace mcv::drbd
