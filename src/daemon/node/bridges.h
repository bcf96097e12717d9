// SPDX-License-Identifier: Apache-2.0
// The bridges `node init` made on this machine, with what they are plugged into. The kernel forgets both at a reboot, and
// cables are no matter of the shared configuration: each node has its own file.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/files.h"

namespace mcv {

/// By bridge; without an uplink it joins guests of this node only.
using Bridges = std::map<std::string, std::optional<std::string>>;

/// `path`: the file they are in (paths.h). No file is none.
boost::asio::awaitable<Result<Bridges>> read_bridges(host::Files& files, std::string path);
/// Durable when it returns. Without `uplink` the one remembered stays.
boost::asio::awaitable<Status> remember_bridge(host::Files& files, std::string path, std::string bridge, std::optional<std::string> uplink);

}  // namespace mcv
