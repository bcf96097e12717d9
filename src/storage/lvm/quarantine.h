// SPDX-License-Identifier: Apache-2.0
// Copies of a node that was removed from its cluster: kept under a name that no volume, resource or VM ever has, until a person
// deletes them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/lvm/pool.h"
#include "storage/lvm/report.h"

namespace mcv::lvm {

struct Quarantined {
  std::string name;          ///< of the LV, "mcvq-A-17-vm1-0"
  std::string volume_group;
  std::string volume;        ///< that it was a copy of
  std::string removal;       ///< the operation that removed this node
  Bytes size;
};

/// "mcvq-A-17-vm1-0".
std::string quarantine_name(const OperationId& removal, const VolumeName& volume);
/// Pure: those among LVM's list, the metadata with its data.
std::vector<Quarantined> quarantined_among(const std::vector<LogicalVolume>& volumes);

/// Renamed, tagged, deactivated: data and metadata. The metadata first, so that nothing attaches what is half done. Success when
/// there is nothing (any more). Files of a directory pool stay as they are. `device_busy` while something holds an LV.
boost::asio::awaitable<Status> quarantine_backing(host::Host& host, Pool pool, VolumeName volume, OperationId removal);
boost::asio::awaitable<Result<std::vector<Quarantined>>> quarantined(host::Host& host);
/// For good. `not_found` when no copy in quarantine has that name.
boost::asio::awaitable<Status> remove_quarantined(host::Host& host, std::string name);

}  // namespace mcv::lvm
