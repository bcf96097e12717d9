// SPDX-License-Identifier: Apache-2.0
// The shared configuration's records as plain values. Each has `to_json` and `from_json`; unknown keys of a newer
// build are tolerated on read (formats are guarded by the format number, DESIGN 4).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/units.h"

namespace mcv {

/// A member. `id` is corosync's nodeid. Addresses are literals; empty until set.
struct NodeRecord {
  NodeName name;
  std::uint32_t id = 1;
  std::string cluster_address;  ///< corosync and the daemons' own link
  std::string drbd_address;     ///< replication; empty = cluster_address
  std::uint16_t peer_port = 8801;
  std::string fingerprint;      ///< SHA-256 of the public key the peer is pinned to

  const std::string& replication_address() const { return drbd_address.empty() ? cluster_address : drbd_address; }
  Json to_json() const;
  static Result<NodeRecord> from_json(const Json& json);
  friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

struct NetworkRecord {
  NetworkName name;
  std::string bridge;  ///< the bridge's name on both nodes

  Json to_json() const;
  static Result<NetworkRecord> from_json(const Json& json);
  friend bool operator==(const NetworkRecord&, const NetworkRecord&) = default;
};

enum class PoolKind { thin, thick, directory };
std::string_view to_text(PoolKind kind);
Result<PoolKind> pool_kind_from_text(std::string_view text);

struct PoolRecord {
  PoolName name;
  PoolKind kind = PoolKind::thin;
  std::string volume_group;                   ///< thin and thick
  std::string thin_pool;                      ///< the LV of a thin pool, "mcv-<pool>"
  std::string path;                           ///< directory
  std::map<std::string, std::string> per_node_volume_group;  ///< node name -> VG where it differs

  const std::string& volume_group_on(const NodeName& node) const;
  Json to_json() const;
  static Result<PoolRecord> from_json(const Json& json);
  friend bool operator==(const PoolRecord&, const PoolRecord&) = default;
};

enum class VolumeKind { local, drbd };
std::string_view to_text(VolumeKind kind);
Result<VolumeKind> volume_kind_from_text(std::string_view text);

/// DESIGN 6. `running` is not a verdict: a running verify keeps the previous one.
enum class VerdictKind { never, clean, mismatch };
std::string_view to_text(VerdictKind kind);

struct SectorRange {
  std::uint64_t start = 0;  ///< 512-byte sectors
  std::uint64_t count = 0;
  friend bool operator==(const SectorRange&, const SectorRange&) = default;
};

/// A place in the log: what was recorded is compared by it, never by a clock. Counter and generation of zero are none.
struct LogStamp {
  std::uint64_t counter = 0;   ///< of the generation
  std::string generation;      ///< its uuid
  std::uint64_t index = 0;
  friend bool operator==(const LogStamp&, const LogStamp&) = default;
};
/// False as well for two generations with one counter: neither came after the other.
bool is_at_or_after(const LogStamp& stamp, const LogStamp& other);

struct Verdict {
  VerdictKind kind = VerdictKind::never;
  std::int64_t wall_seconds = 0;      ///< when the run ended; for people
  std::string node;                   ///< which node commanded the run
  std::vector<SectorRange> ranges;    ///< mismatch only: ranges that differed again on re-check
  LogStamp after;                     ///< the last committed entry when it was proposed, as its node saw it
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

struct VolumeRecord {
  VolumeName name;
  VmName vm;
  PoolName pool;
  VolumeKind kind = VolumeKind::local;
  Bytes size;
  std::string node;            ///< local volumes: where the LV is
  std::uint32_t minor = 0;     ///< drbd; allocated by the state machine
  std::uint16_t port = 0;      ///< drbd; allocated by the state machine
  std::string last_primary;    ///< recorded before each promotion (DESIGN 6 Repair)
  Verdict verdict;

  /// "mcv-vm1-0": the LV, the DRBD resource and the .res file.
  std::string resource() const { return "mcv-" + name.str(); }
  /// What the guest's VMM opens on `node_name`; `volume_group` is the pool's there.
  std::string device_path(const std::string& volume_group) const;
  Json to_json() const;
  static Result<VolumeRecord> from_json(const Json& json);
  friend bool operator==(const VolumeRecord&, const VolumeRecord&) = default;
};

enum class HypervisorKind { automatic, cloud_hypervisor, qemu };
std::string_view to_text(HypervisorKind kind);
Result<HypervisorKind> hypervisor_kind_from_text(std::string_view text);

struct NicRecord {
  NetworkName network;
  std::string mac;
  friend bool operator==(const NicRecord&, const NicRecord&) = default;
};

/// Direct kernel boot, or firmware, or neither (QEMU: BIOS from disk). Paths must hold the same bytes on both nodes.
struct BootRecord {
  std::string kernel;
  std::string initramfs;
  std::string cmdline;
  std::string firmware;
  friend bool operator==(const BootRecord&, const BootRecord&) = default;
};
Json to_json(const BootRecord& boot);

/// What it refuses: model/vm_lock.h.
struct LockRecord {
  std::string by;          ///< whoever set it, by the account the kernel named
  std::string reason;
  std::int64_t since = 0;  ///< wall clock, for people; 0 = an older build set it
  friend bool operator==(const LockRecord&, const LockRecord&) = default;
};
Json to_json(const LockRecord& lock);

struct VmRecord {
  VmName name;
  std::string uuid;
  std::uint32_t cpus = 1;
  Bytes memory = Bytes::mib(512);
  std::vector<VolumeName> volumes;
  std::vector<NicRecord> nics;
  BootRecord boot;
  HypervisorKind hypervisor = HypervisorKind::automatic;
  NodeName owner;              ///< the node that may run it
  std::optional<LockRecord> lock;
  bool delete_protection = false;
  bool autostart = false;
  bool deleting = false;       ///< a delete passed its point of no return: only finishing it is possible

  Json to_json() const;
  static Result<VmRecord> from_json(const Json& json);
  friend bool operator==(const VmRecord&, const VmRecord&) = default;
};

}  // namespace mcv
