// SPDX-License-Identifier: Apache-2.0
// What a repair overwrote, kept as an LVM snapshot under a name that no volume, resource or VM ever has: until a clean verify, or
// until a person deletes it. Its tags say what it is.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/records.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/report.h"

namespace mcv::lvm {

struct Snapshot {
  std::string name;             ///< of the LV, "mcvs-A-17-vm1-0"
  std::string volume_group;
  std::string volume;           ///< that it is an earlier state of
  std::string operation;        ///< the repair that made it
  LogStamp after;               ///< a clean verify that ended after this makes it useless
  std::int64_t wall_seconds = 0;
  Bytes size;                   ///< of the copy that is in it
};

/// "mcvs-A-17-vm1-0".
std::string snapshot_name(const OperationId& operation, const VolumeName& volume);
/// Pure: those among LVM's list.
std::vector<Snapshot> snapshots_among(const std::vector<LogicalVolume>& volumes);

struct SnapshotSpec {
  Pool pool;
  VolumeName volume;
  OperationId operation;
  LogStamp after;
  std::int64_t wall_seconds = 0;
  Bytes overwritten;            ///< at most so much of the volume is written to while it is kept: what a thin pool must have free
};

/// Idempotent: one of this operation is taken for this one. Thin: shares the pool's blocks. Thick: as large as the volume, so that it
/// never fills up. `pool_full`, `pool_missing`, `not_found` without the volume.
boost::asio::awaitable<Status> ensure_snapshot(host::Host& host, SnapshotSpec spec);
/// Undo of ensure_snapshot. Success when there is none.
boost::asio::awaitable<Status> remove_snapshot_of(host::Host& host, Pool pool, VolumeName volume, OperationId operation);
boost::asio::awaitable<Result<std::vector<Snapshot>>> snapshots(host::Host& host);
/// For good. `not_found` when no snapshot of ours has that name.
boost::asio::awaitable<Status> remove_snapshot(host::Host& host, std::string name);
/// All of one volume, which is about to be removed itself.
boost::asio::awaitable<Status> remove_snapshots(host::Host& host, VolumeName volume);

}  // namespace mcv::lvm
