// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/copy_room.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

namespace mcv {
namespace {

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t gib = 1u << 30;
/// LVM's own, and what a volume's size is rounded up to.
constexpr std::uint64_t extent = 4 * mib;
constexpr std::uint64_t drbd_block = 4096;
/// LVM's smallest, and what it takes for a pool of up to about 120 GiB.
constexpr std::uint64_t usual_chunk = 65536;
constexpr double limit_percent = 90.0;

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t unit) { return (bytes + unit - 1) / unit * unit; }
Bytes extents(Bytes bytes) { return Bytes(rounded_up(bytes.count(), extent)); }

/// "vg0/mcv-fast" or "vg0": where the room is.
std::string place_of(const PoolRecord& pool, const NodeName& node) {
  const std::string& group = pool.volume_group_on(node);
  return pool.kind == PoolKind::thin ? fmt::format("{}/{}", group, pool.thin_pool) : group;
}

std::optional<Bytes> known(const NodeFacts* node, const std::map<std::string, Bytes> NodeFacts::*what, const VolumeName& volume) {
  if (node == nullptr) return std::nullopt;
  const auto found = (node->*what).find(volume.str());
  return found == (node->*what).end() ? std::nullopt : std::optional<Bytes>(found->second);
}

/// An LV may be a little larger than what was asked for.
Bytes data_of(const VolumeRecord& volume, const NodeFacts* node) { return std::max(volume.size, known(node, &NodeFacts::backing, volume.name).value_or(volume.size)); }

/// Everything that one place is to take.
struct Sum {
  const CopyNeed* first = nullptr;
  Bytes takes;
  std::vector<std::string> volumes;
};

std::map<std::string, Sum> by_place(const std::vector<CopyNeed>& needs) {
  std::map<std::string, Sum> sums;
  for (const CopyNeed& need : needs) {
    if (need.pool.kind == PoolKind::directory) continue;
    Sum& sum = sums[fmt::format("{} {}", need.node.str(), place_of(need.pool, need.node))];
    if (sum.first == nullptr) sum.first = &need;
    sum.takes = sum.takes + need.takes;
    sum.volumes.push_back(need.volume.str());
  }
  return sums;
}

std::string names_of(const std::vector<std::string>& volumes) {
  constexpr std::size_t shown = 3;
  if (volumes.size() <= shown + 1) return fmt::format("{}", fmt::join(volumes, ", "));
  return fmt::format("{} and {} more", fmt::join(volumes.begin(), volumes.begin() + shown, ", "), volumes.size() - shown);
}

/// "+3G", "+512M": as lvextend reads it, rather too much.
std::string more(Bytes missing) {
  if (missing.count() >= gib) return fmt::format("+{}G", rounded_up(missing.count(), gib) / gib);
  return fmt::format("+{}M", rounded_up(missing.count(), extent) / mib);
}

Error no_room(const Sum& sum, const std::string& has, Bytes missing, std::string next) {
  return Error(ErrorCode::pool_full, fmt::format("storage pool {} on {} has {}, and the copies of {} take {}: {} are missing", sum.first->pool.name.str(), sum.first->node.str(), has, names_of(sum.volumes),
                                                 sum.takes.to_text(), missing.to_text()))
      .with_safe("nothing was changed, and no copy was touched")
      .with_next(std::move(next));
}

Status check_thin(const Sum& sum, CopyKind kind, const ThinPoolFacts& pool) {
  const std::string node = sum.first->node.str();
  const std::string place = place_of(sum.first->pool, sum.first->node);
  const double percent = pool.size.count() == 0 ? 100.0 : 100.0 * static_cast<double>(pool.used.count()) / static_cast<double>(pool.size.count());
  if (pool.waits_when_full) {
    return Error(ErrorCode::pool_waits, fmt::format("the thin pool {} on {} lets writes wait when it is full, and every guest that writes to it", place, node))
        .with_safe("nothing was changed, and no copy was touched")
        .with_next(fmt::format("on {}: lvchange --errorwhenfull y {}", node, place));
  }
  if (pool.metadata_percent >= limit_percent) {
    return Error(ErrorCode::pool_full, fmt::format("storage pool {} on {} is full: metadata {:.1f} %, nothing is created above {:.0f} %", sum.first->pool.name.str(), node, pool.metadata_percent, limit_percent))
        .with_safe("nothing was changed, and no copy was touched")
        .with_next(fmt::format("on {}: lvextend --poolmetadatasize +256M {}", node, place));
  }
  const Bytes ninety(static_cast<std::uint64_t>(static_cast<double>(pool.size.count()) * limit_percent / 100.0));
  const bool to_the_end = kind == CopyKind::overwrites && percent < limit_percent;
  const Bytes end = to_the_end ? pool.size : ninety;
  if (pool.used + sum.takes <= end) return success();
  const Bytes free = end - pool.used;
  const Bytes missing = pool.used + sum.takes - end;
  // A pool that grows by so much has so much more, or nine tenths of it.
  const Bytes growth = to_the_end ? missing : Bytes(static_cast<std::uint64_t>(std::ceil(static_cast<double>(missing.count()) * 100.0 / limit_percent)));
  const std::string has = to_the_end ? fmt::format("{} of {} free", free.to_text(), pool.size.to_text()) : fmt::format("{} of {} left below {:.0f} %", free.to_text(), pool.size.to_text(), limit_percent);
  return no_room(sum, has, missing, fmt::format("on {}: lvextend --size {} {}", node, more(growth), place));
}

Status check_thick(const Sum& sum, Bytes free) {
  if (sum.takes <= free) return success();
  const std::string group = place_of(sum.first->pool, sum.first->node);
  return no_room(sum, fmt::format("{} free", free.to_text()), sum.takes - free, fmt::format("on {}: vgextend {} DEVICE", sum.first->node.str(), group));
}

}  // namespace

Bytes replication_metadata_size(Bytes data) {
  const std::uint64_t bitmap = (data.sectors() + (1u << 18) - 1) / (1u << 18) * 8;  // sectors: one bit per 4 KiB, whole pages
  const std::uint64_t bytes = (bitmap + 72) * 512;
  return Bytes(rounded_up(bytes, mib));
}

CopyNeed need_of_metadata(const VolumeRecord& volume, const PoolRecord& pool, const NodeName& node, Bytes data) {
  const Bytes metadata = replication_metadata_size(data);
  return {node, pool, volume.name, pool.kind == PoolKind::thick ? extents(metadata) : metadata};
}

CopyNeed need_of_new_leg(const VolumeRecord& volume, const PoolRecord& pool, const NodeName& node, const NodeFacts* source) {
  const Bytes data = data_of(volume, source);
  CopyNeed need = need_of_metadata(volume, pool, node, data);
  // What reads as zeros is not written to a thin leg (rs-discard-granularity).
  const Bytes copied = pool.kind == PoolKind::thick ? extents(data) : std::min(data, known(source, &NodeFacts::written, volume.name).value_or(data));
  need.takes = need.takes + copied;
  return need;
}

CopyNeed need_of_repair(const VolumeRecord& volume, const PoolRecord& pool, const NodeFacts& target, const NodeFacts* source, Bytes marked, bool whole) {
  CopyNeed need{target.name, pool, volume.name, {}};
  const Bytes data = data_of(volume, &target);
  if (pool.kind != PoolKind::thin) {
    // Every block and LVM's own table of them, 16 bytes for each 4 KiB, in whole extents.
    need.takes = data + Bytes(data.count() / 256) + Bytes(extent);
    return need;
  }
  if (whole) {
    need.takes = std::min(data, known(source, &NodeFacts::written, volume.name).value_or(data));
    return need;
  }
  const auto there = target.thin_pools.find(place_of(pool, target.name));
  const std::uint64_t chunk = there == target.thin_pools.end() || there->second.chunk.count() == 0 ? usual_chunk : there->second.chunk.count();
  const std::uint64_t blocks = (marked.count() + drbd_block - 1) / drbd_block;
  // Each marked block may lie in a chunk of its own.
  need.takes = blocks > data.count() / chunk ? data : Bytes(blocks * chunk);
  return need;
}

Status check_room_for_copies(const std::vector<CopyNeed>& needs, CopyKind kind, const std::map<std::string, NodeFacts>& facts) {
  for (const auto& [key, sum] : by_place(needs)) {
    const auto node = facts.find(sum.first->node.str());
    if (node == facts.end()) continue;
    const std::string place = place_of(sum.first->pool, sum.first->node);
    if (sum.first->pool.kind == PoolKind::thin) {
      const auto pool = node->second.thin_pools.find(place);
      if (pool == node->second.thin_pools.end()) continue;
      MCV_CHECK(check_thin(sum, kind, pool->second));
      continue;
    }
    const auto group = node->second.volume_group_free.find(place);
    if (group == node->second.volume_group_free.end()) continue;
    MCV_CHECK(check_thick(sum, group->second));
  }
  return success();
}

}  // namespace mcv
