// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/volume_life.h"

#include <fmt/format.h>
#include <utility>

#include "storage/drbd/commands.h"
#include "storage/drbd/helper/fence_protocol.h"
#include "storage/drbd/proc_drbd.h"
#include "storage/drbd/tool_errors.h"
#include "storage/drbd/volume_tools.h"
#include "storage/lvm/backing.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

/// From a command's success to its event: the kernel sends it before the command returns, the reader needs a moment.
constexpr host::Duration event_lag = 10s;
constexpr host::Duration retry_pause = 200ms;
constexpr int no_metadata_exit = 1;  ///< drbdmeta: "No valid meta data found"
constexpr const char* helper_parameter = "/sys/module/drbd/parameters/usermode_helper";

asio::awaitable<Status> wait_for(DrbdMonitor& monitor, VolumeName volume, Condition condition, host::Duration bound, std::string what) {
  MCV_CO_TRY(const ResourceFacts reached, co_await monitor.wait_until(volume, std::move(condition), bound, std::move(what)));
  co_return success();
}

bool has_disk(const ResourceFacts& resource) { return resource.minor.has_value() && resource.facts.disk != DiskState::diskless; }

/// Who holds /dev/drbdN, as far as the kernel says: stacked devices. A process is found by the command in `next`.
asio::awaitable<Error> with_holders(host::Host& host, Error error, std::uint32_t minor) {
  const auto holders = co_await host.files.list(fmt::format("/sys/block/drbd{}/holders", minor));
  std::string text;
  if (holders.ok() && !holders->empty()) text = fmt::format(" (used by {})", fmt::join(*holders, ", "));
  co_return Error(error.code(), error.message() + text).with_safe(error.safe()).with_next(fmt::format("fuser --verbose /dev/drbd{}", minor));
}

/// The part of `up` without a network: drbdadm's adjust insists on a peer.
asio::awaitable<Status> bring_up_one_leg(host::Host& host, VolumeName volume, std::optional<ResourceFacts> now) {
  if (!now) {
    host::Command resource = commands::new_resource(volume);
    MCV_CO_CHECK(co_await run_tool(host, volume, std::move(resource)));
  }
  if (!now || !now->minor) {
    host::Command minor = commands::new_minor(volume);
    MCV_CO_CHECK(co_await run_tool(host, volume, std::move(minor)));
  }
  if (!now || !has_disk(*now)) {
    host::Command attach = commands::attach(volume);
    MCV_CO_CHECK(co_await run_tool(host, volume, std::move(attach)));
  }
  co_return success();
}

}  // namespace

asio::awaitable<Status> ensure_module(host::Host& host) {
  host::Command load = commands::load_module();
  MCV_CO_TRY(const std::string loaded, co_await host::run_ok(host.processes, std::move(load)));
  MCV_CO_TRY(const std::string proc, co_await host.files.read("/proc/drbd"));
  MCV_CO_TRY(const ProcDrbd drbd, parse_proc_drbd(proc));
  MCV_CO_CHECK(check_version(drbd.version));
  // Without the program the kernel takes "could not be run" for a refusal, and every resync is called off.
  MCV_CO_TRY(const bool installed, co_await host.files.exists(fence::program));
  if (!installed) {
    co_return Error(ErrorCode::command_missing, fmt::format("{} is not installed: DRBD has nobody to ask", fence::program))
        .with_next("apt-get install --reinstall mcv");
  }
  MCV_CO_TRY(const std::string helper, co_await host.files.read(helper_parameter));
  if (helper == std::string(fence::program) + "\n") co_return success();
  const Status written = co_await host.files.write_in_place(helper_parameter, fence::program);
  co_return written;
}

asio::awaitable<Status> ensure_resource_file(host::Host& host, ResourceConfig config) {
  MCV_CO_TRY(std::string wanted, render_resource(config));
  const std::string path = resource_file_path(config.volume);
  const Result<std::string> found = co_await host.files.read(path);
  if (found.ok() && *found == wanted) co_return success();
  const Status written = co_await host.files.write_durably(path, std::move(wanted), resource_file_mode);
  co_return written;
}

asio::awaitable<Status> remove_resource_file(host::Host& host, VolumeName volume) {
  const Status removed = co_await host.files.remove(resource_file_path(volume));
  co_return removed;
}

asio::awaitable<Status> ensure_metadata(host::Host& host, DrbdMonitor& monitor, VolumeName volume, std::uint32_t minor, std::string meta_disk,
                                        bool created_by_this_operation) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (now && has_disk(*now)) co_return success();
  host::Command read = commands::read_metadata(minor, meta_disk);
  const host::Argv argv = read.argv;
  MCV_CO_TRY(const host::ProcessResult metadata, co_await host.processes.run(std::move(read)));
  if (metadata.ok()) co_return success();
  if (metadata.exit_code != no_metadata_exit) co_return error_of(volume, argv, metadata);
  if (!created_by_this_operation) {
    co_return Error(ErrorCode::metadata_missing, fmt::format("volume {}: {} holds no DRBD metadata", volume.str(), meta_disk))
        .with_safe("it was not written to: creating metadata would declare this copy new")
        .with_next(host::to_shell_line(argv));
  }
  host::Command create = commands::create_metadata(minor, meta_disk);
  const Status created = co_await run_tool(host, volume, std::move(create));
  co_return created;
}

asio::awaitable<Status> ensure_up(host::Host& host, DrbdMonitor& monitor, VolumeName volume, bool one_leg) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  const Result<std::string> file = co_await host.files.read(resource_file_path(volume));
  if (one_leg || (file.ok() && has_one_leg(*file))) {
    MCV_CO_CHECK(co_await bring_up_one_leg(host, volume, now));
  } else {
    host::Command adjust = commands::adjust(volume);
    MCV_CO_CHECK(co_await run_tool(host, volume, std::move(adjust)));
  }
  Condition attached = [](const ResourceFacts* facts) { return facts != nullptr && has_disk(*facts) && facts->facts.disk != DiskState::attaching; };
  const Status reached = co_await wait_for(monitor, volume, std::move(attached), event_lag, "attached");
  co_return reached;
}

asio::awaitable<Status> wait_connected(DrbdMonitor& monitor, VolumeName volume, host::Duration bound) {
  // The peer's disk state comes a moment after "Connected".
  Condition connected = [](const ResourceFacts* facts) {
    return facts != nullptr && facts->facts.connection == ConnectionState::connected && facts->facts.replication != ReplicationState::off;
  };
  const Status reached = co_await wait_for(monitor, volume, std::move(connected), bound, "connected");
  co_return reached;
}

asio::awaitable<Status> wait_redundant(DrbdMonitor& monitor, VolumeName volume, host::Duration bound) {
  Condition redundant = [](const ResourceFacts* facts) { return facts != nullptr && facts->facts.redundant(); };
  const Status reached = co_await wait_for(monitor, volume, std::move(redundant), bound, "up to date on both nodes");
  co_return reached;
}

asio::awaitable<Status> mark_identical(host::Host& host, DrbdMonitor& monitor, VolumeName volume, bool provably_zero) {
  if (!provably_zero) {
    co_return Error(ErrorCode::bad_request, fmt::format("volume {}: the two legs are not provably equal, so the copy cannot be skipped", volume.str()));
  }
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.redundant()) co_return success();
  const bool fresh = now->facts.disk == DiskState::inconsistent && now->facts.peer_disk == DiskState::inconsistent;
  if (!fresh || now->facts.connection != ConnectionState::connected) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} is not a connected pair of fresh legs: {}", volume.str(), describe(&*now)))
        .with_safe("nothing was changed");
  }
  host::Command mark = commands::new_current_uuid(volume);
  const Status marked = co_await run_tool(host, volume, std::move(mark));
  const Status redundant = co_await wait_redundant(monitor, volume, event_lag);
  // A retry can meet its own earlier success: then the tool refuses and the volume is redundant.
  if (redundant.ok()) co_return success();
  co_return marked.ok() ? redundant : marked;
}

asio::awaitable<Status> copy_from_here(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || !now->minor) co_return not_configured(volume);
  if (now->facts.redundant() || now->facts.replication == ReplicationState::sync_source) {
    // An attempt that was cut off may have left it open.
    const Status closed = co_await ensure_secondary(host, monitor, volume, event_lag);
    co_return closed;
  }
  host::Command identify = commands::generation_identifiers(*now->minor);
  MCV_CO_TRY(const std::string generations, co_await host::run_ok(host.processes, std::move(identify)));
  const bool fresh = now->facts.disk == DiskState::inconsistent && now->facts.peer_disk == DiskState::inconsistent &&
                     now->facts.connection == ConnectionState::connected && generations.compare(0, just_created.size(), just_created) == 0;
  if (!fresh) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} is not a connected pair of fresh legs: {}", volume.str(), describe(&*now)))
        .with_safe("nothing was changed");
  }
  host::Command begin = commands::declare_good(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(begin)));
  Condition copying = [](const ResourceFacts* facts) {
    return facts != nullptr && (facts->facts.replication == ReplicationState::sync_source || facts->facts.redundant());
  };
  MCV_CO_CHECK(co_await wait_for(monitor, volume, std::move(copying), event_lag, "copying"));
  const Status demoted = co_await ensure_secondary(host, monitor, volume, event_lag);
  co_return demoted;
}

asio::awaitable<Status> ensure_primary(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.role == DiskRole::primary) co_return success();
  host::Command promote = commands::primary(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(promote)));
  Condition primary = [](const ResourceFacts* facts) { return facts != nullptr && facts->facts.role == DiskRole::primary; };
  const Status reached = co_await wait_for(monitor, volume, std::move(primary), event_lag, "Primary");
  co_return reached;
}

asio::awaitable<Status> open_older_copy(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.role == DiskRole::primary) co_return success();
  if (now->facts.disk != DiskState::outdated || now->facts.connection != ConnectionState::standalone) {
    co_return Error(ErrorCode::not_up_to_date, fmt::format("volume {} is not an older copy that stands alone: {}", volume.str(), describe(&*now))).with_safe("nothing was changed").with_next("hvctl drbd list");
  }
  host::Command promote = commands::declare_good(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(promote)));
  Condition primary = [](const ResourceFacts* facts) { return facts != nullptr && facts->facts.role == DiskRole::primary; };
  const Status reached = co_await wait_for(monitor, volume, std::move(primary), event_lag, "Primary");
  co_return reached;
}

asio::awaitable<Status> ensure_secondary(host::Host& host, DrbdMonitor& monitor, VolumeName volume, host::Duration patience) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || now->facts.role == DiskRole::secondary) co_return success();
  const host::Instant deadline = host.clock.now() + patience;
  for (;;) {
    host::Command demote = commands::secondary(volume);
    const Status demoted = co_await run_tool(host, volume, std::move(demote));
    if (demoted.ok()) break;
    if (demoted.error().code() != ErrorCode::device_busy) co_return demoted;
    if (host.clock.now() >= deadline) {
      const Error busy = co_await with_holders(host, demoted.error(), now->minor.value_or(0));
      co_return busy;
    }
    co_await host.clock.sleep_for(retry_pause);
  }
  Condition secondary = [](const ResourceFacts* facts) { return facts == nullptr || facts->facts.role == DiskRole::secondary; };
  const Status reached = co_await wait_for(monitor, volume, std::move(secondary), event_lag, "Secondary");
  co_return reached;
}

asio::awaitable<Status> ensure_down(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return success();
  MCV_CO_CHECK(co_await ensure_secondary(host, monitor, volume, event_lag));
  host::Command down = commands::down(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(down)));
  Condition gone = [](const ResourceFacts* facts) { return facts == nullptr; };
  const Status reached = co_await wait_for(monitor, volume, std::move(gone), event_lag, "gone from the kernel");
  co_return reached;
}

asio::awaitable<Status> ensure_outdated(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.disk == DiskState::outdated || now->facts.disk == DiskState::inconsistent) co_return success();
  host::Command mark = commands::outdate(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(mark)));
  // drbdadm ends with 0 where the kernel refused, while the leg is connected (measured: tests/data/drbd/session).
  Condition marked = [](const ResourceFacts* facts) { return facts != nullptr && (facts->facts.disk == DiskState::outdated || facts->facts.disk == DiskState::inconsistent); };
  const Status reached = co_await wait_for(monitor, volume, std::move(marked), event_lag, "outdated");
  co_return reached;
}

asio::awaitable<Status> resume_io(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || !now->facts.suspended.held()) co_return success();
  host::Command thaw = commands::resume_io(volume);
  const Status thawed = co_await run_tool(host, volume, std::move(thaw));
  co_return thawed;
}

asio::awaitable<Status> ensure_connecting(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now) co_return not_configured(volume);
  if (now->facts.connection != ConnectionState::standalone) co_return success();
  host::Command connect = commands::connect(volume);
  const Status connecting = co_await run_tool(host, volume, std::move(connect));
  co_return connecting;
}

asio::awaitable<Status> ensure_disconnected(host::Host& host, DrbdMonitor& monitor, VolumeName volume) {
  MCV_CO_TRY(const std::optional<ResourceFacts> now, co_await look(monitor, volume));
  if (!now || now->facts.connection == ConnectionState::standalone) co_return success();
  host::Command disconnect = commands::disconnect(volume);
  MCV_CO_CHECK(co_await run_tool(host, volume, std::move(disconnect)));
  Condition alone = [](const ResourceFacts* facts) { return facts == nullptr || facts->facts.connection == ConnectionState::standalone; };
  const Status reached = co_await wait_for(monitor, volume, std::move(alone), event_lag, "disconnected");
  co_return reached;
}

asio::awaitable<Status> remove_everything(host::Host& host, DrbdMonitor& monitor, lvm::Pool pool, VolumeName volume) {
  MCV_CO_CHECK(co_await ensure_down(host, monitor, volume));
  MCV_CO_CHECK(co_await lvm::remove_backing(host, pool, volume));
  const Status removed = co_await remove_resource_file(host, volume);
  co_return removed;
}

}  // namespace mcv::drbd
