// SPDX-License-Identifier: Apache-2.0
// The bodies of changing requests as checked values. Decoding is strict: an unknown field is an error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/units.h"
#include "cluster/model/peer_loss_policy.h"
#include "cluster/model/records.h"

namespace mcv::requests {

struct CreateVm {
  VmName name;
  std::uint32_t cpus = 1;
  Bytes memory = Bytes::mib(512);
  std::vector<Bytes> disks;
  VolumeKind storage_type = VolumeKind::drbd;
  std::optional<PoolName> pool;          ///< the only pool when not given
  std::vector<NetworkName> networks;
  BootRecord boot;
  HypervisorKind hypervisor = HypervisorKind::automatic;
  std::optional<NodeName> node;          ///< owner; this node when not given
  bool autostart = false;
};
Result<CreateVm> create_vm(const Json& body);

/// What was named; empty = not set any more.
struct BootChange {
  std::optional<std::string> kernel = {};
  std::optional<std::string> initramfs = {};
  std::optional<std::string> cmdline = {};
  std::optional<std::string> firmware = {};
};
/// `before` with the change. Refuses what does not go together: an initramfs without a kernel, kernel and firmware.
Result<BootRecord> changed(BootRecord before, const BootChange& change);

/// Only what was named changes.
struct UpdateVm {
  std::optional<std::uint32_t> cpus;
  std::optional<Bytes> memory;
  std::optional<bool> autostart;
  std::optional<bool> delete_protection;
  std::optional<BootChange> boot;
  bool unlock = false;
  std::optional<std::string> lock_owner;  ///< with unlock: whose lock it is, typed by a person who takes off another's
  std::optional<std::string> lock_reason;
};
Result<UpdateVm> update_vm(const Json& body);

struct StartVm {
  std::optional<std::string> override_reason;  ///< lifts the verify gate, nothing else
};
Result<StartVm> start_vm(const Json& body);

struct StopVm {
  std::uint32_t timeout_seconds = 90;
};
Result<StopVm> stop_vm(const Json& body);

struct MigrateVm {
  NodeName node;
  bool wait_for_shutdown = false;
  std::optional<std::uint32_t> timeout_seconds;  ///< of the wait; none = as long as it takes
  bool start_after_migration = false;
};
Result<MigrateVm> migrate_vm(const Json& body);

struct Verify {
  std::vector<VmName> vms;
  bool all = false;
  bool scheduled = false;  ///< a timer asks, not a person
};
Result<Verify> verify(const Json& body);

/// Who is copied from is typed by a person where the records do not say it; a request that only asks what would be done leaves that out.
struct ResyncVm {
  std::optional<NodeName> source;
  std::vector<VolumeName> volumes;  ///< every replicated one when empty
  bool full = false;                ///< all blocks, not only those that are marked
  bool source_confirmed = false;
  bool check_only = false;
};
Result<ResyncVm> resync_vm(const Json& body);

/// What the disks of a VM are to be.
Result<VolumeKind> storage_type(const Json& body);

struct AttachDisks {
  std::vector<VolumeName> volumes;  ///< every one that was lost when empty
};
Result<AttachDisks> attach_disks(const Json& body);

struct CreateNetwork {
  NetworkName name;
  std::string bridge;
};
Result<CreateNetwork> create_network(const Json& body);

struct CreatePool {
  PoolName name;
  PoolKind kind = PoolKind::thick;
  std::string volume_group;
  std::string path;
  std::optional<Bytes> size;             ///< of the thin pool; 90 % of the free space when not given
  std::map<std::string, std::string> per_node_volume_group;
};
Result<CreatePool> create_pool(const Json& body);

struct SetAddresses {
  std::optional<std::string> cluster_address;
  std::optional<std::string> drbd_address;
};
Result<SetAddresses> set_addresses(const Json& body);

struct InitNode {
  bool all = false;
  std::string bridge = "br0";
  std::optional<std::string> uplink;
};
Result<InitNode> init_node(const Json& body);

struct AddNode {
  std::string connect_string;
  std::string node;      ///< what the operator typed; empty when not given
  std::string address;
  bool check_only = false;
  std::optional<PeerLoss> peer_loss;  ///< of the cluster that begins; as it is when not given
};
Result<AddNode> add_node(const Json& body);

/// The two facts are typed by a person; a request that only asks whether it would be taken leaves them out.
struct ConfirmDown {
  std::string node;
  bool is_powered_off = false;
  bool nobody_let_it_carry_on = false;
  bool was_let_go_on = false;  ///< when this node left in order: instead of the second fact
  bool check_only = false;
};
Result<ConfirmDown> confirm_down(const Json& body);

/// Settings of the cluster: at least one.
struct UpdateCluster {
  std::optional<PeerLoss> peer_loss;
  std::optional<std::int64_t> verify_age_seconds;  ///< 0: no alarm
  std::optional<std::uint32_t> verify_parallel;
  std::optional<std::string> verify_calendar;  ///< "off": no timer
};
Result<UpdateCluster> update_cluster(const Json& body);

/// A person accepts a copy that may be older; a request that only asks whether it would be taken leaves that out.
struct AcceptCopy {
  VolumeName volume;
  bool may_be_older = false;
  bool check_only = false;
};
Result<AcceptCopy> accept_copy(const Json& body);

/// A person chooses one of two histories; a request that only asks what would follow leaves the word out.
struct ChooseHistory {
  NodeName base;
  bool the_other_is_given_up = false;
  bool check_only = false;
};
Result<ChooseHistory> choose_history(const Json& body);

struct RemoveNode {
  NodeName node;
  bool dead = false;  ///< it is gone for good: by the rules of confirm-down
};
Result<RemoveNode> remove_node(const Json& body);

/// A literal IPv4 or IPv6 address in its canonical spelling, or `bad_request`.
Result<std::string> parse_address(const std::string& text);

}  // namespace mcv::requests
