// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/room.h"

#include <algorithm>
#include <cmath>

#include "storage/lvm/commands.h"

namespace mcv::lvm {
namespace {

/// LVM tells percents with two digits: what is written may be a little more than it says.
constexpr double half_a_digit = 0.005;

Bytes share_of(Bytes size, double percent) {
  const double bytes = std::ceil(static_cast<double>(size.count()) * (percent + half_a_digit) / 100.0);
  return std::min(size, Bytes(static_cast<std::uint64_t>(bytes)));
}

constexpr std::string_view data_prefix = "mcv-";
constexpr std::string_view md_ending = ".md";

}  // namespace

void add_room(NodeFacts& facts, const std::vector<LogicalVolume>& volumes) {
  for (const LogicalVolume& volume : volumes) {
    if (volume.thin_pool) {
      ThinPoolFacts& pool = facts.thin_pools[volume.volume_group + "/" + volume.name];
      pool.size = volume.size;
      pool.used = share_of(volume.size, volume.data_percent.value_or(0));
      pool.metadata_percent = volume.metadata_percent.value_or(0);
      pool.chunk = volume.chunk;
      pool.waits_when_full = !volume.fails_when_full;
      pool.made_by_mcv = volume.has_tag(tag);
      continue;
    }
    const bool is_data = volume.has_tag(tag) && volume.name.starts_with(data_prefix) && !volume.name.ends_with(md_ending);
    if (!is_data) continue;
    const auto name = VolumeName::parse(volume.name.substr(data_prefix.size()));
    if (!name.ok()) continue;
    facts.backing[name->str()] = volume.size;
    facts.written[name->str()] = volume.thin ? share_of(volume.size, volume.data_percent.value_or(100.0)) : volume.size;
  }
}

}  // namespace mcv::lvm
