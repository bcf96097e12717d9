// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/quarantine.h"

#include <fmt/format.h>

#include "storage/lvm/backing.h"
#include "storage/lvm/commands.h"

namespace mcv::lvm {

namespace asio = boost::asio;

namespace {

constexpr std::string_view quarantine_tag = "mcv.quarantine";
constexpr std::string_view volume_tag = "mcv.volume.";
constexpr std::string_view removal_tag = "mcv.removal.";
constexpr std::string_view metadata_ending = ".md";

Error in_use(const LogicalVolume& volume, const char* what_stays) {
  return Error(ErrorCode::device_busy, fmt::format("the logical volume {}/{} is in use", volume.volume_group, volume.name))
      .with_safe(what_stays)
      .with_next(fmt::format("lsblk {}; fuser --verbose {}", volume.path(), volume.path()));
}

asio::awaitable<Status> run(host::Host& host, host::Command command) {
  MCV_CO_TRY(const std::string said, co_await host::run_ok(host.processes, std::move(command)));
  static_cast<void>(said);
  co_return success();
}

asio::awaitable<Status> put_aside(host::Host& host, LogicalVolume volume, std::string name, VolumeName of, OperationId removal) {
  if (!volume.has_tag(tag)) co_return success();
  if (volume.open) co_return in_use(volume, "it keeps its name, and nothing of it was changed");
  const std::string marks[] = {std::string(quarantine_tag), std::string(volume_tag) + of.str(), std::string(removal_tag) + removal.str()};
  for (const std::string& mark : marks) {
    if (volume.has_tag(mark)) continue;
    host::Command add = commands::add_tag(volume.volume_group, volume.name, mark);
    MCV_CO_CHECK(co_await run(host, std::move(add)));
  }
  host::Command rename = commands::rename(volume.volume_group, volume.name, name);
  MCV_CO_CHECK(co_await run(host, std::move(rename)));
  host::Command close = commands::deactivate(volume.volume_group, name);
  const Status closed = co_await run(host, std::move(close));
  co_return closed;
}

std::string rest_of_tag(const LogicalVolume& volume, std::string_view prefix) {
  for (const std::string& text : volume.tags) {
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  }
  return {};
}

}  // namespace

std::string quarantine_name(const OperationId& removal, const VolumeName& volume) { return fmt::format("mcvq-{}-{}", removal.str(), volume.str()); }

std::vector<Quarantined> quarantined_among(const std::vector<LogicalVolume>& volumes) {
  std::vector<Quarantined> found;
  for (const LogicalVolume& volume : volumes) {
    if (!volume.has_tag(quarantine_tag) || !volume.name.starts_with("mcvq-") || volume.name.ends_with(metadata_ending)) continue;
    found.push_back({volume.name, volume.volume_group, rest_of_tag(volume, volume_tag), rest_of_tag(volume, removal_tag), volume.size});
  }
  return found;
}

asio::awaitable<Status> quarantine_backing(host::Host& host, Pool pool, VolumeName volume, OperationId removal) {
  if (pool.kind == PoolKind::directory) co_return success();
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  const std::string kept = quarantine_name(removal, volume);
  for (const std::string& name : {kept + std::string(metadata_ending), kept}) {
    if (find(volumes, pool.volume_group, name) == nullptr) continue;
    host::Command close = commands::deactivate(pool.volume_group, name);  // an attempt that was cut off renamed it
    MCV_CO_CHECK(co_await run(host, std::move(close)));
  }
  if (const LogicalVolume* metadata = find(volumes, pool.volume_group, metadata_name(volume))) {
    MCV_CO_CHECK(co_await put_aside(host, *metadata, kept + std::string(metadata_ending), volume, removal));
  }
  if (const LogicalVolume* data = find(volumes, pool.volume_group, data_name(volume))) {
    MCV_CO_CHECK(co_await put_aside(host, *data, kept, volume, removal));
  }
  co_return success();
}

asio::awaitable<Result<std::vector<Quarantined>>> quarantined(host::Host& host) {
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  co_return quarantined_among(volumes);
}

asio::awaitable<Status> remove_quarantined(host::Host& host, std::string name) {
  MCV_CO_TRY(const std::vector<LogicalVolume> volumes, co_await logical_volumes(host));
  std::vector<LogicalVolume> chosen;
  for (const LogicalVolume& volume : volumes) {
    const bool meant = volume.name == name || volume.name == name + std::string(metadata_ending);
    if (meant && volume.name.starts_with("mcvq-") && volume.has_tag(quarantine_tag)) chosen.push_back(volume);
  }
  if (chosen.empty() || name.ends_with(metadata_ending)) {
    co_return Error(ErrorCode::not_found, fmt::format("no copy in quarantine is called {}", name)).with_safe("nothing was deleted").with_next("hvctl storage list-quarantined");
  }
  for (const LogicalVolume& volume : chosen) {
    if (volume.open) co_return in_use(volume, "it was not deleted");
  }
  for (const LogicalVolume& volume : chosen) {
    host::Command remove = commands::remove(volume.volume_group, volume.name);
    MCV_CO_CHECK(co_await run(host, std::move(remove)));
  }
  co_return success();
}

}  // namespace mcv::lvm
