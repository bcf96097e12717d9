// SPDX-License-Identifier: Apache-2.0
// What lies around on this node and belongs to nothing: no record of a volume or pool, no operation. Found by asking the machine; never
// removed but when a person asks for exactly that one (DESIGN I6).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"
#include "storage/lvm/report.h"

namespace mcv::drbd {

/// What this node may have, and what is in the making.
struct Belongs {
  std::set<VolumeName> volumes;              ///< with a leg, or a local disk, on this node by the shared records
  std::set<std::string> thin_pools;          ///< "vg0/mcv-fast" of the pool records, on this node
  std::set<VmName> vms_in_operation;         ///< an operation of either node has not ended
  std::set<std::string> operations;          ///< "A-17": those operations
  std::map<VolumeName, std::string> pending;  ///< deleted while this node was away, and why they are still here
  std::map<VolumeName, std::string> of_other_node;  ///< local disks that are recorded on the other one, and on which
};

enum class OrphanKind {
  volume,       ///< what a volume leaves: LVs, the resource file, the resource in the kernel
  pending,      ///< the same, deleted while this node was away: removed by itself when it is certain that it is that copy
  thin_pool,
  foreign,      ///< has a name of mcv's, and mcv did not make it
  quarantined,  ///< of a removal: has its own commands
  snapshot,     ///< of a repair, its volume gone or not: has its own commands
};
std::string_view to_text(OrphanKind kind);

struct Orphan {
  std::string name;                        ///< what `hvctl storage delete-orphan` takes: "mcv-gone-0"
  OrphanKind kind = OrphanKind::volume;
  std::string why;
  std::int64_t since = 0;                  ///< wall seconds; 0: not known
  Bytes size;                              ///< of the data
  std::vector<std::string> parts;          ///< "vg0/mcv-gone-0", "/etc/drbd.d/mcv-gone-0.res", "minor 100 in the kernel"
  std::vector<std::string> used;           ///< those of them that something holds open, or that are Primary
  std::vector<std::string> made_by;        ///< the operations that made its LVs, sorted
  friend bool operator==(const Orphan&, const Orphan&) = default;
};

struct Machine {
  std::vector<lvm::LogicalVolume> volumes;
  std::vector<std::string> files;                     ///< names in /etc/drbd.d
  std::map<std::string, ResourceFacts> resources;     ///< of the kernel
};

/// Pure. By name.
std::vector<Orphan> orphans_of(const Machine& machine, const Belongs& belongs);

boost::asio::awaitable<Result<std::vector<Orphan>>> find_orphans(host::Host& host, DrbdMonitor& monitor, Belongs belongs);

/// Every part of it, as long as it is the same that `made_by` names: what another operation made meanwhile stays. `device_busy` for
/// what is in use, `bad_request` for kinds with commands of their own. Success when there is nothing (any more).
boost::asio::awaitable<Status> remove_orphan(host::Host& host, DrbdMonitor& monitor, Belongs belongs, std::string name, std::vector<std::string> made_by);
/// The same refusals, before anything is begun.
Status may_remove(const Orphan& orphan);

}  // namespace mcv::drbd
