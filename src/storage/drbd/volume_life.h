// SPDX-License-Identifier: Apache-2.0
// The life of one replicated volume on ONE node, as idempotent steps: each looks at the machine first and may be run
// again after a crash at any point. Who runs them on which node, in which order, is the planner's business.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "storage/drbd/monitor.h"
#include "storage/drbd/resource_file.h"
#include "storage/lvm/pool.h"

namespace mcv::drbd {

/// Loads DRBD, refuses another major version (`drbd_version`) and points the kernel to our program for its events
/// (`command_missing` when that is not installed).
boost::asio::awaitable<Status> ensure_module(host::Host& host);

/// Writes /etc/drbd.d/mcv-<volume>.res (0600) if it differs. Undo: remove_resource_file.
boost::asio::awaitable<Status> ensure_resource_file(host::Host& host, ResourceConfig config);
boost::asio::awaitable<Status> remove_resource_file(host::Host& host, VolumeName volume);

/// Metadata is on `meta_disk`. Valid metadata is never overwritten; missing metadata is only written when
/// `created_by_this_operation` (the LV came from ensure_backing of this operation), otherwise `metadata_missing`.
boost::asio::awaitable<Status> ensure_metadata(host::Host& host, DrbdMonitor& monitor, VolumeName volume, std::uint32_t minor, std::string meta_disk,
                                               bool created_by_this_operation);

/// In the kernel, attached, and connecting unless `one_leg` or the resource file names no other leg. Does not wait for the peer.
/// Undo: ensure_down.
boost::asio::awaitable<Status> ensure_up(host::Host& host, DrbdMonitor& monitor, VolumeName volume, bool one_leg);

/// Connected to the peer. `timed_out` names what is seen instead.
boost::asio::awaitable<Status> wait_connected(DrbdMonitor& monitor, VolumeName volume, host::Duration bound);
/// Connected and UpToDate on both sides. Waits for a resync within `bound`.
boost::asio::awaitable<Status> wait_redundant(DrbdMonitor& monitor, VolumeName volume, host::Duration bound);

/// Run on ONE node while connected: both fresh legs become UpToDate without copying. `provably_zero` is the and of both
/// nodes' Backing::provably_zero; without it this is `bad_request` (use copy_from_here). The kernel refuses unless the
/// metadata was just created.
boost::asio::awaitable<Status> mark_identical(host::Host& host, DrbdMonitor& monitor, VolumeName volume, bool provably_zero);
/// Run on ONE node while connected, both legs freshly created (kernel-checked: generation "just created"): this leg's
/// data is declared the good one and copied whole. Returns when the copy has begun.
boost::asio::awaitable<Status> copy_from_here(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// `peer_is_primary`, `not_up_to_date`, `no_authority` (the kernel holds: the peer may have newer data and nobody decided).
/// Undo: ensure_secondary.
boost::asio::awaitable<Status> ensure_primary(host::Host& host, DrbdMonitor& monitor, VolumeName volume);
/// The same for a leg that the kernel calls outdated, by force: only after a person accepted this very copy (DESIGN 5), and only
/// while it stands alone.
boost::asio::awaitable<Status> open_older_copy(host::Host& host, DrbdMonitor& monitor, VolumeName volume);
/// Success as well when it is not configured. `device_busy` names the holders when something keeps the device open
/// longer than `patience` (udev opens a device for moments after each change).
boost::asio::awaitable<Status> ensure_secondary(host::Host& host, DrbdMonitor& monitor, VolumeName volume, host::Duration patience);

/// Out of the kernel; the peer sees an orderly goodbye. `device_busy` while it is open.
boost::asio::awaitable<Status> ensure_down(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// Its copy counts as older, in its metadata, until it is connected again: the kernel opens it for nobody. Refused by the kernel
/// while Primary or connected. Success when it is older, or not whole, already.
boost::asio::awaitable<Status> ensure_outdated(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// Thaws held I/O on this node: only after the caller decided (authority and freshness, DESIGN 5). Success when not held.
boost::asio::awaitable<Status> resume_io(host::Host& host, DrbdMonitor& monitor, VolumeName volume);
/// Looks for the peer again; does not wait for it.
boost::asio::awaitable<Status> ensure_connecting(host::Host& host, DrbdMonitor& monitor, VolumeName volume);
boost::asio::awaitable<Status> ensure_disconnected(host::Host& host, DrbdMonitor& monitor, VolumeName volume);

/// Down, LVs and resource file gone. Success when there was nothing.
boost::asio::awaitable<Status> remove_everything(host::Host& host, DrbdMonitor& monitor, lvm::Pool pool, VolumeName volume);

}  // namespace mcv::drbd
