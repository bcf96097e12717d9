// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/backing.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/model/copy_room.h"
#include "storage/lvm/commands.h"

namespace mcv::lvm {

namespace asio = boost::asio;

namespace {

std::string file_path(const Pool& pool, const VolumeName& name) { return pool.path + "/" + data_name(name) + ".raw"; }

Error taken(const LogicalVolume& volume, const std::string& why) {
  return Error(ErrorCode::already_exists, fmt::format("the logical volume {}/{} exists already: {}", volume.volume_group, volume.name, why))
      .with_safe("it was not touched")
      .with_next(fmt::format("lvs -o +lv_tags {}/{}", volume.volume_group, volume.name));
}

/// Whether what exists may be taken over by the operation of `spec`.
Status check_taken_over(const LogicalVolume& volume, const BackingSpec& spec, Bytes size) {
  if (!volume.has_tag(tag)) return taken(volume, "mcv did not make it");
  if (!volume.has_tag(creator_tag(spec.token))) return taken(volume, "another operation made it");
  if (volume.size < size) return taken(volume, fmt::format("it has {}, {} are wanted", volume.size.to_text(), size.to_text()));
  return success();
}

host::Command creation(const Pool& pool, const std::string& name, Bytes size, const std::string& token) {
  if (pool.kind == PoolKind::thin) return commands::create_thin(pool.volume_group, pool.thin_pool, name, size, creator_tag(token));
  return commands::create_thick(pool.volume_group, name, size, creator_tag(token));
}

/// One LV, made, activated and (thick) zeroed. The tag goes on after the last zero is on disk, so a crash repeats it.
asio::awaitable<Status> ensure_volume(host::Host& host, BackingSpec spec, std::string name, Bytes size, const LogicalVolume* found) {
  const Pool& pool = spec.pool;
  bool zeroed = pool.kind == PoolKind::thin;
  if (found == nullptr) {
    host::Command create = creation(pool, name, size, spec.token);
    MCV_CO_TRY(const std::string created, co_await host::run_ok(host.processes, std::move(create)));
  } else {
    MCV_CO_CHECK(check_taken_over(*found, spec, size));
    zeroed = zeroed || found->has_tag(zeroed_tag);
    host::Command activate = commands::activate(pool.volume_group, name);
    MCV_CO_TRY(const std::string activated, co_await host::run_ok(host.processes, std::move(activate)));
  }
  if (zeroed) co_return success();
  const Bytes whole = found == nullptr ? size : found->size;
  host::Command zero = commands::zero_device("/dev/" + pool.volume_group + "/" + name, whole);
  MCV_CO_TRY(const std::string cleared, co_await host::run_ok(host.processes, std::move(zero)));
  host::Command mark = commands::add_tag(pool.volume_group, name, zeroed_tag);
  MCV_CO_TRY(const std::string marked, co_await host::run_ok(host.processes, std::move(mark)));
  co_return success();
}

/// A VMM is nobody special: it must own its image, and every directory above has to let it through.
asio::awaitable<Status> give_to_guests(host::Host& host, std::string path, std::string user) {
  host::Command give = commands::give_file(path, user);
  MCV_CO_TRY(const std::string given, co_await host::run_ok(host.processes, std::move(give)));
  host::Command restrict = commands::restrict_file(path);
  MCV_CO_TRY(const std::string restricted, co_await host::run_ok(host.processes, std::move(restrict)));
  host::Command attempt = commands::may_use(path, user);
  MCV_CO_TRY(const host::ProcessResult tried, co_await host.processes.run(std::move(attempt)));
  if (tried.ok()) co_return success();
  co_return Error(ErrorCode::not_suitable, fmt::format("{} could not be opened by a VM: the user {} cannot reach it", path, user))
      .with_safe("nothing was started")
      .with_next(fmt::format("namei --long {} shows the directory that stops it; chmod o+x there", path));
}

asio::awaitable<Result<Backing>> ensure_file(host::Host& host, BackingSpec spec, PoolUsage usage) {
  const std::string path = file_path(spec.pool, spec.name);
  const std::string owner = path + ".by";  // files have no tags: the token lies beside the file until somebody removes both
  Backing backing;
  backing.data_path = path;
  backing.size = spec.size;
  backing.provably_zero = true;
  const auto there = co_await host.files.exists(path);
  if (!there.ok()) co_return there.error();
  if (*there) {
    const auto token = co_await host.files.read(owner);
    if (!token.ok() || *token != spec.token) {
      co_return Error(ErrorCode::already_exists, fmt::format("{} exists already and was made by another operation", path)).with_safe("it was not touched");
    }
  } else {
    MCV_CO_CHECK(check_room(spec.pool, usage, spec.size));
    MCV_CO_CHECK(co_await host.files.write_durably(owner, spec.token, 0600));
  }
  host::Command allocate = commands::allocate_file(path, spec.size);
  MCV_CO_TRY(const std::string allocated, co_await host::run_ok(host.processes, std::move(allocate)));
  MCV_CO_CHECK(co_await give_to_guests(host, path, spec.guest_user));
  co_return backing;
}

Backing backing_of(const LogicalVolume& data, const LogicalVolume* metadata, const LogicalVolume* thin_pool) {
  Backing backing;
  backing.data_path = data.path();
  if (metadata != nullptr) backing.metadata_path = metadata->path();
  backing.size = data.size;
  if (thin_pool != nullptr) backing.discard_granularity = thin_pool->chunk;
  return backing;
}

asio::awaitable<Status> remove_volume(host::Host& host, Pool pool, std::string name, std::vector<LogicalVolume> volumes) {
  const LogicalVolume* found = find(volumes, pool.volume_group, name);
  if (found == nullptr) co_return success();
  if (!found->has_tag(tag)) co_return taken(*found, "mcv did not make it, so mcv does not remove it");
  if (found->open) {
    co_return Error(ErrorCode::device_busy, fmt::format("the logical volume {}/{} is in use", pool.volume_group, name))
        .with_safe("it was not removed")
        .with_next(fmt::format("lsblk /dev/{}/{}; fuser --verbose /dev/{}/{}", pool.volume_group, name, pool.volume_group, name));
  }
  host::Command remove = commands::remove(pool.volume_group, name);
  MCV_CO_TRY(const std::string removed, co_await host::run_ok(host.processes, std::move(remove)));
  co_return success();
}

}  // namespace

std::string guest_path(const Pool& pool, const VolumeRecord& volume) {
  const bool file = volume.kind == VolumeKind::local && pool.kind == PoolKind::directory;
  return file ? file_path(pool, volume.name) : volume.device_path(pool.volume_group);
}

std::string data_name(const VolumeName& name) { return "mcv-" + name.str(); }
std::string metadata_name(const VolumeName& name) { return "mcv-" + name.str() + ".md"; }

Bytes metadata_size(Bytes data) { return replication_metadata_size(data); }

asio::awaitable<Result<Backing>> ensure_backing(host::Host& host, BackingSpec spec) {
  if (spec.replicated && spec.pool.kind == PoolKind::directory) {
    co_return Error(ErrorCode::bad_request, fmt::format("storage pool {} is a directory: replicated volumes need a volume group", spec.pool.name.str()));
  }
  if (spec.pool.kind == PoolKind::directory) {
    MCV_CO_TRY(const PoolUsage in_directory, co_await pool_usage(host, spec.pool));
    MCV_CO_TRY(const Backing file, co_await ensure_file(host, spec, in_directory));
    co_return file;
  }
  const Pool& pool = spec.pool;
  const std::string data = data_name(spec.name);
  const std::string metadata = metadata_name(spec.name);
  const Bytes wanted_metadata = spec.replicated ? metadata_size(spec.size) : Bytes();
  // One listing answers everything about a thin pool: each run of an LVM tool costs as much as creating a volume.
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  PoolUsage usage;
  if (pool.kind == PoolKind::thin) {
    MCV_CO_TRY(usage, thin_pool_usage(pool, volumes));
  } else {
    MCV_CO_TRY(usage, co_await pool_usage(host, pool));
  }
  const LogicalVolume* old_data = find(volumes, pool.volume_group, data);
  const LogicalVolume* old_metadata = find(volumes, pool.volume_group, metadata);
  if (old_data == nullptr) {
    MCV_CO_CHECK(check_room(pool, usage, spec.size + wanted_metadata));
  }
  MCV_CO_CHECK(co_await ensure_volume(host, spec, data, spec.size, old_data));
  if (spec.replicated) {
    MCV_CO_CHECK(co_await ensure_volume(host, spec, metadata, wanted_metadata, old_metadata));
  }
  Backing backing;
  backing.data_path = "/dev/" + pool.volume_group + "/" + data;
  if (spec.replicated) backing.metadata_path = "/dev/" + pool.volume_group + "/" + metadata;
  backing.size = old_data == nullptr ? spec.size : old_data->size;
  backing.provably_zero = pool.kind == PoolKind::thick || usage.zeroing;
  if (const LogicalVolume* thin_pool = find(volumes, pool.volume_group, pool.thin_pool)) backing.discard_granularity = thin_pool->chunk;
  co_return backing;
}

asio::awaitable<Result<Beside>> ensure_metadata_beside(host::Host& host, Pool pool, VolumeName name, std::string token) {
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const LogicalVolume* data = find(volumes, pool.volume_group, data_name(name));
  if (data == nullptr || !data->has_tag(tag)) {
    co_return Error(ErrorCode::not_found, fmt::format("the logical volume {}/{} is not here", pool.volume_group, data_name(name))).with_safe("nothing was changed").with_next(fmt::format("lvs -a {}", pool.volume_group));
  }
  Beside beside;
  beside.data_size = data->size;
  beside.used = data->thin ? Bytes(static_cast<std::uint64_t>(static_cast<double>(data->size.count()) * data->data_percent.value_or(100.0) / 100.0)) : data->size;
  beside.metadata_path = "/dev/" + pool.volume_group + "/" + metadata_name(name);
  BackingSpec spec;
  spec.pool = pool;
  spec.name = name;
  spec.size = data->size;
  spec.token = std::move(token);
  const Bytes wanted = metadata_size(data->size);
  const LogicalVolume* old = find(volumes, pool.volume_group, metadata_name(name));
  if (old == nullptr) {
    MCV_CO_TRY(const PoolUsage usage, co_await pool_usage(host, pool));
    MCV_CO_CHECK(check_room(pool, usage, wanted));
  }
  const std::string metadata = metadata_name(name);
  MCV_CO_CHECK(co_await ensure_volume(host, spec, metadata, wanted, old));
  co_return beside;
}

asio::awaitable<Status> remove_metadata_of(host::Host& host, Pool pool, VolumeName name, std::string token) {
  MCV_CO_TRY(std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  std::erase_if(volumes, [&token](const LogicalVolume& volume) { return !volume.has_tag(creator_tag(token)); });
  const std::string metadata = metadata_name(name);
  const Status removed = co_await remove_volume(host, pool, metadata, volumes);
  co_return removed;
}

asio::awaitable<Status> remove_metadata(host::Host& host, Pool pool, VolumeName name) {
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const std::string metadata = metadata_name(name);
  const Status removed = co_await remove_volume(host, pool, metadata, volumes);
  co_return removed;
}

asio::awaitable<Result<std::optional<Backing>>> find_backing(host::Host& host, Pool pool, VolumeName name) {
  std::optional<Backing> backing;
  if (pool.kind == PoolKind::directory) {
    const std::string path = file_path(pool, name);
    const auto there = co_await host.files.exists(path);
    if (!there.ok()) co_return there.error();
    if (*there) {
      backing.emplace();
      backing->data_path = path;
    }
    co_return backing;
  }
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const LogicalVolume* data = find(volumes, pool.volume_group, data_name(name));
  if (data == nullptr || !data->has_tag(tag)) co_return backing;
  const LogicalVolume* metadata = find(volumes, pool.volume_group, metadata_name(name));
  host::Command activate_data = commands::activate(pool.volume_group, data->name);
  MCV_CO_TRY(const std::string activated, co_await host::run_ok(host.processes, std::move(activate_data)));
  if (metadata != nullptr) {
    host::Command activate_metadata = commands::activate(pool.volume_group, metadata->name);
    MCV_CO_TRY(const std::string also_activated, co_await host::run_ok(host.processes, std::move(activate_metadata)));
  }
  backing = backing_of(*data, metadata, find(volumes, pool.volume_group, pool.thin_pool));
  co_return backing;
}

asio::awaitable<Status> remove_backing(host::Host& host, Pool pool, VolumeName name) {
  if (pool.kind == PoolKind::directory) {
    const std::string path = file_path(pool, name);
    MCV_CO_CHECK(co_await host.files.remove(path));
    const Status removed = co_await host.files.remove(path + ".by");
    co_return removed;
  }
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  // Metadata last: without it DRBD cannot attach, with it and no data there is nothing to attach.
  const std::string data = data_name(name);
  const std::string metadata = metadata_name(name);
  MCV_CO_CHECK(co_await remove_volume(host, pool, data, volumes));
  const Status removed = co_await remove_volume(host, pool, metadata, volumes);
  co_return removed;
}

asio::awaitable<Status> remove_backing_of(host::Host& host, Pool pool, VolumeName name, std::string token) {
  if (pool.kind == PoolKind::directory) {
    const std::string path = file_path(pool, name);
    const auto made_by = co_await host.files.read(path + ".by");
    if (!made_by.ok() || *made_by != token) co_return success();
    const Status gone = co_await remove_backing(host, std::move(pool), std::move(name));
    co_return gone;
  }
  MCV_CO_TRY(std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  std::erase_if(volumes, [&token](const LogicalVolume& volume) { return !volume.has_tag(creator_tag(token)); });
  const std::string data = data_name(name);
  const std::string metadata = metadata_name(name);
  MCV_CO_CHECK(co_await remove_volume(host, pool, data, volumes));
  const Status removed = co_await remove_volume(host, pool, metadata, volumes);
  co_return removed;
}

}  // namespace mcv::lvm
