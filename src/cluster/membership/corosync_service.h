// SPDX-License-Identifier: Apache-2.0
// Corosync on this node: its files and its unit. Every function is idempotent.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "cluster/host/host.h"
#include "cluster/membership/corosync_config.h"

namespace mcv {

/// Whether something had to be written.
enum class Written { no, yes };

/// Writes the key (0400) and the configuration (0644) durably, the key first. Files that already say the same are left
/// alone. `key` is the cluster's, never made here: both nodes need the same one.
boost::asio::awaitable<Result<Written>> ensure_corosync_configured(host::Files& files, CorosyncConfig config, std::string key);

/// The key as it is on this node; nullopt when there is none.
boost::asio::awaitable<Result<std::optional<std::string>>> read_corosync_key(host::Files& files);

/// Enabled and running with what was written: Debian starts a corosync of its own at installation, so after a change it
/// is restarted.
boost::asio::awaitable<Status> ensure_corosync_running(host::Processes& processes, Written written);

/// Disabled and stopped; its files are removed, so that an old key opens nothing.
boost::asio::awaitable<Status> ensure_corosync_gone(host::Processes& processes, host::Files& files);

/// Stopped and not started at boot; the files stay.
boost::asio::awaitable<Status> ensure_corosync_stopped(host::Processes& processes);

}  // namespace mcv
