// SPDX-License-Identifier: Apache-2.0
// Fills the storage part of NodeFacts.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/model/observation.h"
#include "storage/drbd/monitor.h"

namespace mcv::storage {

/// `volume_group_free` from LVM and `volumes` from the monitor. While the monitor has no complete picture `volumes`
/// is an error (`busy`), never an empty map: "not seen" is not "not there".
boost::asio::awaitable<Status> add_facts(host::Host& host, const drbd::DrbdMonitor& monitor, NodeFacts& facts);

}  // namespace mcv::storage
