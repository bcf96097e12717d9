// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/snapshot.h"

#include <charconv>
#include <fmt/format.h>

#include "storage/lvm/backing.h"
#include "storage/lvm/commands.h"

namespace mcv::lvm {

namespace asio = boost::asio;

namespace {

constexpr std::string_view snapshot_tag = "mcv.snapshot";
constexpr std::string_view origin_tag = "mcv.volume.";
constexpr std::string_view operation_tag = "mcv.operation.";
constexpr std::string_view after_tag = "mcv.after.";
constexpr std::string_view time_tag = "mcv.taken.";
constexpr std::string_view name_prefix = "mcvs-";

std::string tag_value(const LogicalVolume& volume, std::string_view prefix) {
  for (const std::string& text : volume.tags) {
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  }
  return {};
}

template <typename Number>
Number number_of(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

std::string stamp_text(const LogStamp& stamp) { return fmt::format("{}.{}.{}", stamp.counter, stamp.generation, stamp.index); }

/// One that cannot be read was taken after everything: no verify removes it.
LogStamp stamp_from(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t last = text.rfind('.');
  LogStamp never;
  never.counter = UINT64_MAX;
  if (first == std::string_view::npos || last == first) return never;
  LogStamp stamp;
  stamp.counter = number_of<std::uint64_t>(text.substr(0, first));
  stamp.generation = std::string(text.substr(first + 1, last - first - 1));
  stamp.index = number_of<std::uint64_t>(text.substr(last + 1));
  return stamp.counter == 0 ? never : stamp;
}

Error no_room(const Pool& pool, const PoolUsage& usage, Bytes needed) {
  return Error(ErrorCode::pool_full, fmt::format("storage pool {} has {} free, and keeping what is overwritten may take {}", pool.name.str(), usage.free.to_text(), needed.to_text()))
      .with_safe("nothing was overwritten")
      .with_next(fmt::format("vgextend {} DEVICE, or make room: hvctl storage list; hvctl storage list-snapshots", pool.volume_group));
}

Status check_snapshot_room(const SnapshotSpec& spec, const PoolUsage& usage, Bytes origin) {
  if (spec.pool.kind == PoolKind::thin) {
    MCV_CHECK(check_room(spec.pool, usage, Bytes()));
    if (usage.free < spec.overwritten) return no_room(spec.pool, usage, spec.overwritten);
    return success();
  }
  // Every block and LVM's own table of them, 16 bytes for each 4 KiB, in whole extents.
  const Bytes whole = origin + Bytes(origin.count() / 256) + Bytes::mib(4);
  if (usage.free < whole) return no_room(spec.pool, usage, whole);
  return success();
}

asio::awaitable<Status> run_lvm(host::Host& host, host::Command command) {
  MCV_CO_TRY(const std::string said, co_await host::run_ok(host.processes, std::move(command)));
  static_cast<void>(said);
  co_return success();
}

asio::awaitable<Status> remove_one(host::Host& host, std::string volume_group, std::string name) {
  host::Command remove = commands::remove(volume_group, name);
  const Status removed = co_await run_lvm(host, std::move(remove));
  co_return removed;
}

}  // namespace

std::string snapshot_name(const OperationId& operation, const VolumeName& volume) { return fmt::format("{}{}-{}", name_prefix, operation.str(), volume.str()); }

std::vector<Snapshot> snapshots_among(const std::vector<LogicalVolume>& volumes) {
  std::vector<Snapshot> found;
  for (const LogicalVolume& volume : volumes) {
    if (!volume.has_tag(tag) || !volume.has_tag(snapshot_tag) || !volume.name.starts_with(name_prefix)) continue;
    Snapshot snapshot;
    snapshot.name = volume.name;
    snapshot.volume_group = volume.volume_group;
    snapshot.volume = tag_value(volume, origin_tag);
    snapshot.operation = tag_value(volume, operation_tag);
    snapshot.after = stamp_from(tag_value(volume, after_tag));
    snapshot.wall_seconds = number_of<std::int64_t>(tag_value(volume, time_tag));
    snapshot.size = volume.size;
    found.push_back(std::move(snapshot));
  }
  return found;
}

asio::awaitable<Status> ensure_snapshot(host::Host& host, SnapshotSpec spec) {
  const Pool& pool = spec.pool;
  if (pool.kind == PoolKind::directory) {
    co_return Error(ErrorCode::not_suitable, fmt::format("storage pool {} is a directory: what is overwritten cannot be kept there", pool.name.str())).with_safe("nothing was overwritten");
  }
  const std::string name = snapshot_name(spec.operation, spec.volume);
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  if (const LogicalVolume* there = find(volumes, pool.volume_group, name)) {
    if (there->has_tag(snapshot_tag)) co_return success();
    co_return Error(ErrorCode::already_exists, fmt::format("the logical volume {}/{} exists already", pool.volume_group, name)).with_safe("nothing was overwritten");
  }
  const LogicalVolume* origin = find(volumes, pool.volume_group, data_name(spec.volume));
  if (origin == nullptr) {
    co_return Error(ErrorCode::not_found, fmt::format("the logical volume {}/{} is not here", pool.volume_group, data_name(spec.volume))).with_safe("nothing was overwritten").with_next("hvctl drbd list");
  }
  const Bytes size = origin->size;
  PoolUsage usage;
  if (pool.kind == PoolKind::thin) {
    MCV_CO_TRY(usage, thin_pool_usage(pool, volumes));
  } else {
    MCV_CO_TRY(usage, co_await pool_usage(host, pool));
  }
  MCV_CO_CHECK(check_snapshot_room(spec, usage, size));
  const std::vector<std::string> tags = {tag, std::string(snapshot_tag), std::string(origin_tag) + spec.volume.str(), std::string(operation_tag) + spec.operation.str(),
                                         std::string(after_tag) + stamp_text(spec.after), fmt::format("{}{}", time_tag, spec.wall_seconds)};
  host::Command create = commands::create_snapshot(pool.volume_group, data_name(spec.volume), name, pool.kind == PoolKind::thin, tags);
  const Status created = co_await run_lvm(host, std::move(create));
  co_return created;
}

asio::awaitable<Status> remove_snapshot_of(host::Host& host, Pool pool, VolumeName volume, OperationId operation) {
  if (pool.kind == PoolKind::directory) co_return success();
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const std::string name = snapshot_name(operation, volume);
  const LogicalVolume* there = find(volumes, pool.volume_group, name);
  if (there == nullptr || !there->has_tag(snapshot_tag)) co_return success();
  const Status removed = co_await remove_one(host, pool.volume_group, name);
  co_return removed;
}

asio::awaitable<Result<std::vector<Snapshot>>> snapshots(host::Host& host) {
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  co_return snapshots_among(volumes);
}

asio::awaitable<Status> remove_snapshot(host::Host& host, std::string name) {
  MCV_CO_TRY(const std::vector<Snapshot> there, co_await snapshots(host));
  for (const Snapshot& snapshot : there) {
    if (snapshot.name != name) continue;
    const Status removed = co_await remove_one(host, snapshot.volume_group, snapshot.name);
    co_return removed;
  }
  co_return Error(ErrorCode::not_found, fmt::format("no snapshot of a repair is called {}", name)).with_safe("nothing was deleted").with_next("hvctl storage list-snapshots");
}

asio::awaitable<Status> remove_snapshots(host::Host& host, VolumeName volume) {
  MCV_CO_TRY(const std::vector<Snapshot> there, co_await snapshots(host));
  for (const Snapshot& snapshot : there) {
    if (snapshot.volume != volume.str()) continue;
    MCV_CO_CHECK(co_await remove_one(host, snapshot.volume_group, snapshot.name));
  }
  co_return success();
}

}  // namespace mcv::lvm
