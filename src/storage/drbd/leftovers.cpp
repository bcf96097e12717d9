// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/leftovers.h"

#include "storage/drbd/resource_file.h"
#include "storage/lvm/backing.h"
#include "storage/lvm/commands.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/snapshot.h"

namespace mcv::drbd {

namespace asio = boost::asio;

namespace {

/// "mcv-vm1-0" + suffix names a volume that is not known.
bool is_unknown(std::string name, std::string_view suffix, const std::set<VolumeName>& known) {
  if (!suffix.empty()) {
    if (!name.ends_with(suffix)) return false;
    name.resize(name.size() - suffix.size());
  }
  const auto volume = volume_of_resource(name);
  return volume.ok() && !known.contains(*volume);
}

}  // namespace

Leftovers leftovers_of(const std::vector<lvm::LogicalVolume>& volumes, const std::vector<std::string>& files, const std::vector<std::string>& resources,
                       const std::set<VolumeName>& known) {
  Leftovers found;
  for (const lvm::LogicalVolume& volume : volumes) {
    if (!volume.has_tag(lvm::tag) || volume.thin_pool) continue;
    // What a repair overwrote goes with its volume.
    if (const auto snapshot = lvm::snapshots_among({volume}); !snapshot.empty()) {
      if (is_unknown(lvm::data_name(VolumeName::trusted(snapshot.front().volume)), "", known)) found.logical_volumes.push_back(volume.volume_group + "/" + volume.name);
      continue;
    }
    const std::string_view suffix = volume.name.ends_with(".md") ? ".md" : "";
    if (is_unknown(volume.name, suffix, known)) found.logical_volumes.push_back(volume.volume_group + "/" + volume.name);
  }
  for (const std::string& file : files) {
    if (is_unknown(file, ".res", known)) found.resource_files.push_back(std::string(resource_directory) + "/" + file);
  }
  for (const std::string& resource : resources) {
    if (is_unknown(resource, "", known)) found.resources.push_back(resource);
  }
  return found;
}

asio::awaitable<Result<Leftovers>> find_leftovers(host::Host& host, DrbdMonitor& monitor, std::set<VolumeName> known) {
  MCV_CO_TRY(const std::vector<lvm::LogicalVolume> volumes, co_await lvm::logical_volumes(host));
  MCV_CO_TRY(const std::vector<std::string> files, co_await host.files.list(resource_directory));
  std::vector<std::string> resources;
  for (const auto& [name, facts] : monitor.resources()) resources.push_back(name);
  co_return leftovers_of(volumes, files, resources, known);
}

}  // namespace mcv::drbd
