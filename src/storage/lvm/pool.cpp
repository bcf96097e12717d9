// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/pool.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

#include "storage/lvm/commands.h"

namespace mcv::lvm {

namespace asio = boost::asio;

namespace {

Error missing_group(const Pool& pool) {
  return Error(ErrorCode::pool_missing, fmt::format("storage pool {}: there is no volume group {} on this node", pool.name.str(), pool.volume_group))
      .with_next("vgs");
}

const VolumeGroup* find_group(const std::vector<VolumeGroup>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const VolumeGroup& group) { return group.name == name; });
  return found == groups.end() ? nullptr : &*found;
}

Bytes share(Bytes size, double percent) { return Bytes(static_cast<std::uint64_t>(static_cast<double>(size.count()) * percent / 100.0)); }

host::Command file_system_usage(const std::string& path) {
  return {{"stat", "--file-system", "--format=%S %b %a", path}, std::chrono::milliseconds(10'000), {}};
}

asio::awaitable<Result<PoolUsage>> directory_usage(host::Host& host, Pool pool) {
  const auto there = co_await host.files.exists(pool.path);
  if (!there.ok()) co_return there.error();
  if (!*there) {
    co_return Error(ErrorCode::pool_missing, fmt::format("storage pool {}: there is no directory {} on this node", pool.name.str(), pool.path));
  }
  host::Command command = file_system_usage(pool.path);
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(command)));
  std::istringstream words(text);
  std::uint64_t block = 0;
  std::uint64_t total = 0;
  std::uint64_t free = 0;
  if (!(words >> block >> total >> free)) co_return Error(ErrorCode::bad_output, fmt::format("stat said \"{}\"", text));
  PoolUsage usage;
  usage.size = Bytes(block * total);
  usage.free = Bytes(block * free);
  co_return usage;
}

asio::awaitable<Status> make_it_fail_when_full(host::Host& host, Pool pool) {
  host::Command command = commands::fail_writes_when_full(pool.volume_group, pool.thin_pool);
  MCV_CO_TRY(const std::string changed, co_await host::run_ok(host.processes, std::move(command)));
  co_return success();
}

}  // namespace

Pool pool_on(const PoolRecord& record, const NodeName& node) {
  return Pool{record.name, record.kind, record.volume_group_on(node), record.thin_pool, record.path};
}

Status check_room(const Pool& pool, const PoolUsage& usage, Bytes size) {
  if (pool.kind != PoolKind::thin) {
    if (size <= usage.free) return success();
    return Error(ErrorCode::pool_full, fmt::format("storage pool {} has {} free, {} are needed", pool.name.str(), usage.free.to_text(), size.to_text()))
        .with_safe("nothing was created");
  }
  // One leg's full pool must not stop its guest (DESIGN 6).
  if (!usage.fails_when_full) {
    return Error(ErrorCode::pool_waits, fmt::format("the thin pool {}/{} lets writes wait when it is full, and every guest that writes to it", pool.volume_group, pool.thin_pool))
        .with_safe("nothing was created; existing volumes go on")
        .with_next(command_against_waiting(pool));
  }
  const double data = usage.data_percent.value_or(0);
  const double metadata = usage.metadata_percent.value_or(0);
  if (data < create_limit_percent && metadata < create_limit_percent) return success();
  return Error(ErrorCode::pool_full, fmt::format("storage pool {} is full: data {:.1f} %, metadata {:.1f} %, nothing is created above {:.0f} %",
                                                 pool.name.str(), data, metadata, create_limit_percent))
      .with_safe("existing volumes go on")
      .with_next(fmt::format("lvextend --size +10G {}/{}", pool.volume_group, pool.thin_pool));
}

Status check_whole_copy(const Pool& pool, const PoolUsage& usage, Bytes copied) {
  if (copied <= usage.free) return success();
  return Error(ErrorCode::pool_full, fmt::format("storage pool {} has {} of {} free, and the copy takes {}", pool.name.str(), usage.free.to_text(), usage.size.to_text(), copied.to_text()))
      .with_safe("nothing was copied; the other copy is not touched")
      .with_next(pool.kind == PoolKind::thin ? fmt::format("lvextend --size +{}G {}/{}", ((copied - usage.free).count() >> 30) + 1, pool.volume_group, pool.thin_pool)
                                             : fmt::format("vgextend {} DEVICE", pool.volume_group));
}

std::string command_against_waiting(const Pool& pool) { return fmt::format("lvchange --errorwhenfull y {}/{}", pool.volume_group, pool.thin_pool); }

Result<PoolUsage> thin_pool_usage(const Pool& pool, const std::vector<LogicalVolume>& volumes) {
  const LogicalVolume* thin = find(volumes, pool.volume_group, pool.thin_pool);
  if (thin == nullptr || !thin->thin_pool) {
    return Error(ErrorCode::pool_missing,
                 fmt::format("storage pool {}: there is no thin pool {}/{} on this node", pool.name.str(), pool.volume_group, pool.thin_pool))
        .with_next("lvs");
  }
  PoolUsage usage;
  usage.size = thin->size;
  usage.data_percent = thin->data_percent;
  usage.metadata_percent = thin->metadata_percent;
  usage.free = thin->size - share(thin->size, thin->data_percent.value_or(0));
  usage.zeroing = thin->zeroing;
  usage.fails_when_full = thin->fails_when_full;
  return usage;
}

asio::awaitable<Result<std::vector<VolumeGroup>>> volume_groups(host::Host& host) {
  host::Command command = commands::list_volume_groups();
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(command)));
  co_return parse_volume_groups(text);
}

asio::awaitable<Result<std::vector<LogicalVolume>>> logical_volumes(host::Host& host) {
  host::Command command = commands::list_logical_volumes();
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(command)));
  co_return parse_logical_volumes(text);
}

asio::awaitable<Result<PoolUsage>> pool_usage(host::Host& host, Pool pool) {
  if (pool.kind == PoolKind::directory) {
    MCV_CO_TRY(const PoolUsage in_directory, co_await directory_usage(host, pool));
    co_return in_directory;
  }
  PoolUsage usage;
  if (pool.kind == PoolKind::thick) {
    MCV_CO_TRY(const std::vector<VolumeGroup> groups, co_await volume_groups(host));
    const VolumeGroup* group = find_group(groups, pool.volume_group);
    if (group == nullptr) co_return missing_group(pool);
    usage.size = group->size;
    usage.free = group->free;
    co_return usage;
  }
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  co_return thin_pool_usage(pool, volumes);
}

asio::awaitable<Result<bool>> ensure_pool(host::Host& host, Pool pool, std::optional<Bytes> size) {
  if (pool.kind == PoolKind::directory) {
    const auto there = co_await host.files.exists(pool.path);
    if (!there.ok()) co_return there.error();
    if (*there) co_return false;
    MCV_CO_CHECK(co_await host.files.make_directory(pool.path, 0711));
    co_return true;
  }
  MCV_CO_TRY(const std::vector<VolumeGroup> groups, co_await volume_groups(host));
  const VolumeGroup* group = find_group(groups, pool.volume_group);
  if (group == nullptr) co_return missing_group(pool);
  if (pool.kind == PoolKind::thick) co_return false;

  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  if (const LogicalVolume* found = find(volumes, pool.volume_group, pool.thin_pool)) {
    if (!found->thin_pool) {
      co_return Error(ErrorCode::already_exists, fmt::format("{}/{} exists and is not a thin pool", pool.volume_group, pool.thin_pool))
          .with_safe("it was not touched");
    }
    if (!found->zeroing) {
      co_return Error(ErrorCode::already_exists,
                      fmt::format("the thin pool {}/{} hands out blocks without zeroing them", pool.volume_group, pool.thin_pool))
          .with_safe("it was not touched")
          .with_next(fmt::format("lvchange --zero y {}/{}", pool.volume_group, pool.thin_pool));
    }
    if (!found->fails_when_full && !found->has_tag(tag)) {
      co_return Error(ErrorCode::pool_waits, fmt::format("the thin pool {}/{} lets writes wait when it is full, and every guest that writes to it", pool.volume_group, pool.thin_pool))
          .with_safe("it was not touched")
          .with_next(command_against_waiting(pool));
    }
    if (!found->fails_when_full) {
      MCV_CO_CHECK(co_await make_it_fail_when_full(host, pool));
    }
    co_return false;
  }
  const Bytes wanted = size.value_or(Bytes::mib(64));
  if (wanted > group->free) {
    co_return Error(ErrorCode::pool_full, fmt::format("volume group {} has {} free, a thin pool of {} does not fit", pool.volume_group,
                                                      group->free.to_text(), wanted.to_text()))
        .with_safe("nothing was created")
        .with_next(fmt::format("vgextend {} DEVICE", pool.volume_group));
  }
  host::Command command = commands::create_thin_pool(pool.volume_group, pool.thin_pool, size);
  MCV_CO_TRY(const std::string created, co_await host::run_ok(host.processes, std::move(command)));
  MCV_CO_CHECK(co_await make_it_fail_when_full(host, pool));
  co_return true;
}

asio::awaitable<Status> remove_pool(host::Host& host, Pool pool) {
  if (pool.kind != PoolKind::thin) co_return success();  // a VG or a directory is the administrator's
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const LogicalVolume* found = find(volumes, pool.volume_group, pool.thin_pool);
  if (found == nullptr || !found->has_tag(tag)) co_return success();
  const auto inside = std::count_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) {
    return volume.volume_group == pool.volume_group && volume.pool == pool.thin_pool;
  });
  if (inside > 0) {
    co_return Error(ErrorCode::in_use, fmt::format("the thin pool {}/{} holds {} volumes", pool.volume_group, pool.thin_pool, inside))
        .with_safe("nothing was removed")
        .with_next(fmt::format("lvs --select pool_lv={}", pool.thin_pool));
  }
  host::Command command = commands::remove(pool.volume_group, pool.thin_pool);
  MCV_CO_TRY(const std::string removed, co_await host::run_ok(host.processes, std::move(command)));
  co_return success();
}

}  // namespace mcv::lvm
