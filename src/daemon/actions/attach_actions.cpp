// SPDX-License-Identifier: Apache-2.0
// drbd.attach: a disk that DRBD gave up (docs/adr/0016).
#include <fmt/format.h>

#include "cluster/plans/steps.h"
#include "daemon/actions/actions.h"
#include "daemon/node/node.h"
#include "storage/drbd/attach.h"
#include "storage/lvm/pool.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

/// As LVM shows a pool in which nothing is left.
constexpr double no_room_percent = 99.995;

/// What took the disk away is still there: it would be given up again with the first block that needs room.
Status check_room_left(const lvm::Pool& pool, const lvm::PoolUsage& usage, const NodeName& node) {
  if (pool.kind != PoolKind::thin) return success();
  const double metadata = usage.metadata_percent.value_or(0);
  if (usage.data_percent.value_or(0) < no_room_percent && metadata < no_room_percent) return success();
  const bool is_metadata = metadata >= no_room_percent;
  return Error(ErrorCode::pool_full, fmt::format("storage pool {} on {} has no room left: data {:.1f} %, metadata {:.1f} %", pool.name.str(), node.str(), usage.data_percent.value_or(0), metadata))
      .with_safe("nothing was changed; the guest goes on with the other copy")
      .with_next(fmt::format("on {}: lvextend {} {}/{}, then the same command again", node.str(), is_metadata ? "--poolmetadatasize +256M" : "--size +10G", pool.volume_group, pool.thin_pool));
}

asio::awaitable<Result<Json>> attach_disk(Node& node, StepContext context) {
  Fields fields(context.params, "drbd attach");
  const Json* json = fields.object("volume");
  const bool is_newest = fields.required<bool>("is_newest");
  MCV_CO_CHECK(fields.finish());
  MCV_CO_TRY(const VolumeRecord volume, VolumeRecord::from_json(*json));
  MCV_CO_TRY(const PoolRecord record, node.shared.current().pool(volume.pool));
  const lvm::Pool pool = lvm::pool_on(record, node.self());
  MCV_CO_TRY(const lvm::PoolUsage usage, co_await lvm::pool_usage(node.host, pool));
  MCV_CO_CHECK(check_room_left(pool, usage, node.self()));
  if (node.drbd.complete() && node.drbd.find(volume.name) == nullptr) {
    // A reboot since: it is attached with everything else.
    MCV_CO_CHECK(co_await node.bring_up(volume));
  }
  MCV_CO_CHECK(co_await drbd::ensure_attached(node.host, node.drbd, volume.name, is_newest ? drbd::AttachBehind::nobody : drbd::AttachBehind::peer));
  co_return Json();
}

}  // namespace

void add_attach_actions(Node& node) { add_action(node, "drbd.attach", {attach_disk, nothing_to_undo, never_asked}); }

}  // namespace mcv
