// SPDX-License-Identifier: Apache-2.0
// What lies around on this node without a volume in the configuration. Listing only: removal is asked for (DESIGN I6).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"
#include "storage/lvm/report.h"

namespace mcv::drbd {

struct Leftovers {
  std::vector<std::string> logical_volumes;  ///< "vg0/mcv-vm1-0", with our tag
  std::vector<std::string> resource_files;   ///< paths
  std::vector<std::string> resources;        ///< in the kernel, "mcv-vm1-0"
  bool empty() const { return logical_volumes.empty() && resource_files.empty() && resources.empty(); }
  friend bool operator==(const Leftovers&, const Leftovers&) = default;
};

/// Pure. `files` are the names in /etc/drbd.d.
Leftovers leftovers_of(const std::vector<lvm::LogicalVolume>& volumes, const std::vector<std::string>& files, const std::vector<std::string>& resources,
                       const std::set<VolumeName>& known);

boost::asio::awaitable<Result<Leftovers>> find_leftovers(host::Host& host, DrbdMonitor& monitor, std::set<VolumeName> known);

}  // namespace mcv::drbd
