// SPDX-License-Identifier: Apache-2.0
// Storage pools as they are on this node. Facts come from LVM at each call; nothing is cached. Loop thread only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/records.h"
#include "storage/lvm/report.h"

namespace mcv::lvm {

/// A pool record resolved for one node.
struct Pool {
  PoolName name;
  PoolKind kind = PoolKind::thin;
  std::string volume_group;  ///< thin, thick
  std::string thin_pool;     ///< thin: the LV
  std::string path;          ///< directory
};
Pool pool_on(const PoolRecord& record, const NodeName& node);

struct PoolUsage {
  Bytes size;
  Bytes free;                              ///< thin: what is not mapped yet
  std::optional<double> data_percent;      ///< thin
  std::optional<double> metadata_percent;  ///< thin
  bool zeroing = false;                    ///< thin: a fresh volume reads as zeros
  bool fails_when_full = true;             ///< thin: a write that needs room fails at once; otherwise it waits, a minute as LVM comes, and its guest with it
};

/// Above this share of data or metadata nothing new is created (DESIGN 6).
inline constexpr double create_limit_percent = 90.0;
/// Pure: `pool_full` when the pool is past the limit, or when a thick volume or file of `size` does not fit. `pool_waits` for a thin
/// pool that lets writes wait when it is full.
Status check_room(const Pool& pool, const PoolUsage& usage, Bytes size);

/// Pure: room for `copied` bytes that another node's copy fills at once; what a guest writes over time is not asked for. `pool_full`.
Status check_whole_copy(const Pool& pool, const PoolUsage& usage, Bytes copied);
/// "lvchange --errorwhenfull y vg0/fast"
std::string command_against_waiting(const Pool& pool);

/// Pure: a thin pool's usage from LVM's list; `pool_missing` when it is not there.
Result<PoolUsage> thin_pool_usage(const Pool& pool, const std::vector<LogicalVolume>& volumes);

boost::asio::awaitable<Result<std::vector<VolumeGroup>>> volume_groups(host::Host& host);
/// Of all VGs.
boost::asio::awaitable<Result<std::vector<LogicalVolume>>> logical_volumes(host::Host& host);
/// `pool_missing` when the VG or the thin pool does not exist here.
boost::asio::awaitable<Result<PoolUsage>> pool_usage(host::Host& host, Pool pool);
/// Thin: makes the thin pool `pool.thin_pool` (zeroing on) unless it is there; a pool that is there must have zeroing on.
/// Thick: the VG must exist. Directory: makes it. `true` when something was created. Undo: remove_pool.
boost::asio::awaitable<Result<bool>> ensure_pool(host::Host& host, Pool pool, std::optional<Bytes> size);
/// `in_use` while volumes are in it. A thin pool that mcv did not create is left alone (success).
boost::asio::awaitable<Status> remove_pool(host::Host& host, Pool pool);

}  // namespace mcv::lvm
