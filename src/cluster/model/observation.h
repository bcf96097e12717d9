// SPDX-License-Identifier: Apache-2.0
// What was seen on a node, as planners read it. "Not seen" is a value: facts of an unreachable node are absent,
// never defaulted. Produced by storage/, hv/ and net/; consumed by pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/error.h"
#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/units.h"
#include "cluster/model/io_hold.h"
#include "cluster/model/pool_alarm.h"
#include "cluster/model/started_with.h"

namespace mcv {

enum class DiskRole { secondary, primary, unknown };
enum class DiskState { diskless, attaching, failed, negotiating, inconsistent, outdated, unknown, consistent, up_to_date };
enum class ReplicationState { off, established, sync_source, sync_target, paused_sync, verify_source, verify_target, other };
enum class ConnectionState { standalone, connecting, connected, other };

std::string_view to_text(DiskRole role);
std::string_view to_text(DiskState state);
std::string_view to_text(ReplicationState state);
std::string_view to_text(ConnectionState state);

/// One volume's DRBD device as this node's kernel reports it.
struct VolumeFacts {
  DiskRole role = DiskRole::unknown;
  DiskRole peer_role = DiskRole::unknown;
  DiskState disk = DiskState::unknown;
  DiskState peer_disk = DiskState::unknown;
  ConnectionState connection = ConnectionState::other;
  ReplicationState replication = ReplicationState::off;
  IoHold suspended;
  std::uint64_t out_of_sync_kib = 0;

  bool redundant() const {
    return connection == ConnectionState::connected && disk == DiskState::up_to_date && peer_disk == DiskState::up_to_date;
  }
};

enum class RunState { stopped, starting, running, paused, stopping, unknown };
std::string_view to_text(RunState state);

/// Why a VMM is not running any more.
enum class ExitReason { none, guest_power_off, stopped_by_operator, killed_by_operator, crashed };
std::string_view to_text(ExitReason reason);

struct VmFacts {
  RunState state = RunState::unknown;
  std::string hypervisor;            ///< "qemu" or "cloud-hypervisor", of the running VMM
  std::int64_t pid = 0;
  ExitReason last_exit = ExitReason::none;
  std::optional<StartedWith> started_with = {};  ///< of the running VMM; nothing when none runs, or an older build started it
};

/// A thin pool as LVM shows it.
struct ThinPoolFacts {
  Bytes size;
  Bytes used;                    ///< by what is written in it
  double metadata_percent = 0;
  Bytes chunk;                   ///< the smallest piece it gives out; zero: not known
  bool waits_when_full = false;  ///< a full one holds writes for a while before they fail
  bool made_by_mcv = false;
};

/// One node, as of one look. Used by start checks, migration checks and the join suitability table.
struct NodeFacts {
  NodeName name;
  std::uint32_t cpus = 0;
  Bytes memory_total;
  Bytes memory_available;
  std::vector<std::string> bridges;
  std::map<std::string, Bytes> volume_group_free;             ///< by VG name
  std::optional<Error> volume_groups_unknown = {};            ///< why LVM could not say which there are
  std::map<std::string, std::string> files_sha256;            ///< path -> hash; absent path = file missing
  std::vector<std::string> hypervisors;                       ///< installed: "qemu", "cloud-hypervisor"
  bool kvm = false;
  std::map<std::string, VmFacts> vms;                         ///< by VM name
  std::map<std::string, VolumeFacts> volumes;                 ///< by volume name; absent = not configured in the kernel
  std::map<std::string, Bytes> backing;                       ///< LV size by volume name; absent = no LV, or not asked for
  std::map<std::string, Bytes> written;                       ///< how much of it holds data, as far as LVM knows; likewise
  std::map<std::string, ThinPoolFacts> thin_pools;            ///< "vg0/mcv-fast"; only where asked for
  std::map<std::string, PoolFacts> pools;                     ///< by pool name, as of at most a minute ago; absent = not looked at yet
};

/// How facts travel between the daemons. Unknown keys are ignored: facts are only ever added.
Json to_json(const NodeFacts& facts);
Result<NodeFacts> node_facts_from_json(const Json& json);
Json to_json(const VolumeFacts& facts);
Json to_json(const VmFacts& facts);

}  // namespace mcv
