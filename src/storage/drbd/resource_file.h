// SPDX-License-Identifier: Apache-2.0
// /etc/drbd.d/mcv-<volume>.res, rendered from records. Pure. Syntax of DRBD 8.4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/core/units.h"
#include "cluster/model/records.h"

namespace mcv::drbd {

/// One node's half of a volume.
struct Leg {
  NodeName node;         ///< equals `uname -n` there
  std::string address;   ///< literal IPv4 or IPv6 of the replication link
  std::string disk;      ///< "/dev/vg0/mcv-vm1-0"
  std::string meta_disk; ///< "/dev/vg0/mcv-vm1-0.md"
};

/// How fast DRBD copies and compares, in one place. Units as DRBD's own.
struct Rates {
  std::uint32_t plan_ahead = 20;        ///< c-plan-ahead, 0.1 s; 0 = fixed rate `resync_rate`
  Bytes fill_target = Bytes::mib(1);    ///< c-fill-target: in flight. The default of 50 KiB is what makes DRBD slow
  Bytes max_rate = Bytes::mib(400);     ///< c-max-rate, per second
  Bytes min_rate = Bytes::mib(4);       ///< c-min-rate: below this the guest's own writes do not push the copy; never 0, which switches yielding off
  Bytes resync_rate = Bytes::mib(100);  ///< resync-rate: the start value, or the fixed rate
};

/// Two legs: replicated. One leg: the remainder after the other node was removed; without a connection, fencing off.
struct ResourceConfig {
  VolumeName volume;
  std::uint32_t minor = 0;
  std::uint16_t port = 0;
  std::vector<Leg> legs;
  std::string secret;  ///< of the cluster, at most 63 characters; in the file only
  Bytes discard_granularity;  ///< thin: the pool's chunk, so that a full resync does not fill the target; zero = unset
  Rates rates;
};

/// "mcv-vm1-0": the resource.
std::string resource_name(const VolumeName& volume);
/// The volume a resource belongs to; not_found for resources that are not ours.
Result<VolumeName> volume_of_resource(const std::string& resource);
inline constexpr const char* resource_directory = "/etc/drbd.d";
std::string resource_file_path(const VolumeName& volume);
/// 0600: the file holds the secret.
inline constexpr unsigned resource_file_mode = 0600;

/// Whether a file that render_resource made names this node's leg alone.
bool has_one_leg(std::string_view text);

/// `bad_request` when the legs, the secret or a number cannot be rendered.
Result<std::string> render_resource(const ResourceConfig& config);

}  // namespace mcv::drbd
