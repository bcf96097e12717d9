// SPDX-License-Identifier: Apache-2.0
// The backing of one volume on this node: an LV (and a small one for DRBD's metadata), or a file.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "cluster/core/result.h"
#include "cluster/core/units.h"
#include "cluster/host/host.h"
#include "cluster/model/records.h"
#include "storage/lvm/pool.h"

namespace mcv::lvm {

struct BackingSpec {
  Pool pool;
  VolumeName name;
  Bytes size;
  /// The operation that creates it, as letters, digits, '-', '_', '.': an OperationId. What exists with the same token
  /// is taken over (a retry after a crash); what exists with another one is `already_exists`.
  std::string token;
  bool replicated = false;  ///< adds the metadata LV
  /// Files of a directory pool are given to it. LVs need nothing: their group is `disk`, which the VMM's service is in.
  std::string guest_user = "mcv-guest";
};

struct Backing {
  std::string data_path;
  std::string metadata_path;  ///< empty for local volumes
  Bytes size;                 ///< what was asked for, or what was found; LVM rounds up to extents
  /// Nobody can have written to it and every block reads as zero: a thin LV of a zeroing pool, or an LV that was zeroed.
  /// True only inside the operation that created it.
  bool provably_zero = false;
  Bytes discard_granularity;  ///< thin: the pool's chunk; zero otherwise
};

/// What a VMM opens on the node `pool` is of: DRBD's device, the LV, or the file. Creation and start go by this alone.
std::string guest_path(const Pool& pool, const VolumeRecord& volume);

/// "mcv-vm1-0" and "mcv-vm1-0.md".
std::string data_name(const VolumeName& name);
std::string metadata_name(const VolumeName& name);
/// DRBD's external flexible metadata for one peer: 36 KiB and 1 bit per 4 KiB, rounded up to whole MiB.
Bytes metadata_size(Bytes data);

/// Idempotent. A new thick LV is zeroed before it is handed out (another tenant's data must not show up in a guest).
/// `pool_full`, `pool_missing`, `already_exists`; `not_suitable` where the guests' user cannot reach a file. Undo: remove_backing.
boost::asio::awaitable<Result<Backing>> ensure_backing(host::Host& host, BackingSpec spec);
/// What is beside a volume that is there already.
struct Beside {
  std::string metadata_path;
  Bytes data_size;  ///< of its LV, which may be a little more than was asked for
  Bytes used;       ///< of it, as far as LVM knows: what a copy takes
};
/// The metadata LV of a data LV that exists, for DRBD. Idempotent by `token`, as ensure_backing. `not_found` without the data,
/// `already_exists` where another one's metadata LV is. Undo: remove_metadata_of.
boost::asio::awaitable<Result<Beside>> ensure_metadata_beside(host::Host& host, Pool pool, VolumeName name, std::string token);
/// What the operation of `token` made; success when there is nothing.
boost::asio::awaitable<Status> remove_metadata_of(host::Host& host, Pool pool, VolumeName name, std::string token);
/// Whoever made it. `device_busy` while something holds it.
boost::asio::awaitable<Status> remove_metadata(host::Host& host, Pool pool, VolumeName name);

/// The backing of an existing volume, activated; nullopt when there is none. Never provably zero.
boost::asio::awaitable<Result<std::optional<Backing>>> find_backing(host::Host& host, Pool pool, VolumeName name);
/// Success when both LVs (or the file) are gone. Only LVs with our tag; another one of that name is `already_exists`.
/// `device_busy` while something holds it.
boost::asio::awaitable<Status> remove_backing(host::Host& host, Pool pool, VolumeName name);
/// The same for what the operation of `token` created; what another one made stays as it is (success). Undo of ensure_backing.
boost::asio::awaitable<Status> remove_backing_of(host::Host& host, Pool pool, VolumeName name, std::string token);

}  // namespace mcv::lvm
