// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "hv/choose_hypervisor.h"
#include "hv/start_checks.h"

namespace mcv::hv {
namespace {

/// A VM that may start on A: two nodes, everything in place. Each case spoils one thing.
struct World {
  World() {
    vm.name = VmName::trusted("vm1");
    vm.uuid = "00000000-0000-4000-8000-000000000001";
    vm.cpus = 2;
    vm.memory = Bytes::mib(512);
    vm.volumes = {VolumeName::trusted("vm1-0")};
    vm.nics = {{NetworkName::trusted("lan"), "52:54:00:00:00:01"}};
    vm.boot.kernel = "/boot/k";
    vm.boot.initramfs = "/boot/i";
    vm.owner = NodeName::trusted("A");
    other = vm;
    other.name = VmName::trusted("vm2");
    other.volumes = {};
    other.nics = {};
    volume.name = VolumeName::trusted("vm1-0");
    volume.vm = vm.name;
    volume.pool = PoolName::trusted("fast");
    volume.kind = VolumeKind::drbd;
    volume.size = Bytes::gib(1);
    for (NodeFacts* node : {&here, &peer}) {
      node->cpus = 4;
      node->memory_total = Bytes::gib(4);
      node->memory_available = Bytes::gib(3);
      node->bridges = {"br0"};
      node->files_sha256 = {{"/boot/k", "aa"}, {"/boot/i", "bb"}, {"/boot/fw", "cc"}};
      node->hypervisors = {"qemu", "cloud-hypervisor"};
      node->kvm = true;
      VmFacts stopped;
      stopped.state = RunState::stopped;
      node->vms["vm1"] = stopped;
      node->vms["vm2"] = stopped;
      VolumeFacts facts;
      facts.role = DiskRole::secondary;
      facts.peer_role = DiskRole::secondary;
      facts.disk = DiskState::up_to_date;
      facts.peer_disk = DiskState::up_to_date;
      facts.connection = ConnectionState::connected;
      facts.replication = ReplicationState::established;
      node->volumes["vm1-0"] = facts;
    }
    here.name = NodeName::trusted("A");
    peer.name = NodeName::trusted("B");
  }

  std::vector<StartCheck> checks(std::vector<StartCheck> (*ask)(const StartQuestion&) = start_checks) const {
    ClusterState state;
    std::vector<Mutation> mutations;
    for (std::uint32_t id = 1; id <= nodes; ++id) {
      NodeRecord node;
      node.name = NodeName::trusted(id == 1 ? "A" : "B");
      node.id = id;
      mutations.push_back(put_new(node));
    }
    if (!bridge.empty()) mutations.push_back(put_new(NetworkRecord{NetworkName::trusted("lan"), bridge}));
    mutations.push_back(put_new(vm));
    mutations.push_back(put_new(other));
    if (with_volume) mutations.push_back(put_new(volume));
    EXPECT_TRUE(state.apply({"t", "t", mutations}, 1).ok());
    StartQuestion question{state, vm, here};
    question.peer = peer_answers ? &peer : nullptr;
    question.starts_at_target = at_target;
    question.override_verify_gate = overridden;
    question.takes_over = takes_over;
    if (fresh_alone) question.is_fresh_alone = [](const VolumeName&) { return true; };
    if (suspect) question.is_suspect = [](const VolumeName&) { return true; };
    return ask(question);
  }

  VmRecord vm, other;
  VolumeRecord volume;
  NodeFacts here, peer;
  std::string bridge = "br0";
  std::uint32_t nodes = 2;
  bool peer_answers = true, with_volume = true, suspect = false, overridden = false, at_target = false, takes_over = false, fresh_alone = false;
};

const StartCheck& find(const std::vector<StartCheck>& checks, const std::string& id) {
  return *std::find_if(checks.begin(), checks.end(), [&id](const StartCheck& check) { return check.id == id; });
}

TEST(StartChecks, TheIdsAreStable) {
  std::vector<std::string> ids;
  for (const StartCheck& check : World().checks()) {
    ids.push_back(check.id);
    EXPECT_EQ(check.outcome, CheckOutcome::ok) << check.id << ": " << check.text;
    EXPECT_TRUE(check.fix.empty());
    EXPECT_FALSE(check.text.empty());
  }
  EXPECT_EQ(ids, (std::vector<std::string>{"locked", "owner-here", "running-elsewhere", "hypervisor-installed", "kvm", "cpu-count", "memory",
                                           "kernel-present", "initramfs-present", "firmware-present", "network-present", "mac-in-use",
                                           "disk-in-use", "volumes-present", "volumes-up-to-date", "verify-gate"}));
  EXPECT_TRUE(to_status(VmName::trusted("vm1"), World().checks()).ok());
}

struct Case {
  const char* name;
  const char* id;
  CheckOutcome outcome;
  void (*spoil)(World&);
};

constexpr auto warned = CheckOutcome::warn;
constexpr auto refused = CheckOutcome::refuse;
constexpr auto fine = CheckOutcome::ok;

void run_on(NodeFacts& node, const char* vm, RunState state) { node.vms[vm].state = state; }

const Case cases[] = {
    {"locked", "locked", refused, [](World& w) { w.vm.lock = LockRecord{"root", "backup"}; }},
    {"belongs to B", "owner-here", refused, [](World& w) { w.vm.owner = NodeName::trusted("B"); }},
    {"belongs to B and moves here", "owner-here", fine, [](World& w) { w.vm.owner = NodeName::trusted("B"); w.at_target = true; }},
    {"runs here", "running-elsewhere", refused, [](World& w) { run_on(w.here, "vm1", RunState::running); }},
    {"runs there", "running-elsewhere", refused, [](World& w) { run_on(w.peer, "vm1", RunState::running); }},
    {"paused there", "running-elsewhere", refused, [](World& w) { run_on(w.peer, "vm1", RunState::paused); }},
    {"unknown there is not stopped", "running-elsewhere", refused, [](World& w) { run_on(w.peer, "vm1", RunState::unknown); }},
    {"peer silent", "running-elsewhere", warned, [](World& w) { w.peer_answers = false; }},
    {"no peer", "running-elsewhere", fine, [](World& w) { w.peer_answers = false; w.nodes = 1; }},
    {"no hypervisor", "hypervisor-installed", refused, [](World& w) { w.here.hypervisors.clear(); }},
    {"wished one missing", "hypervisor-installed", refused, [](World& w) { w.vm.hypervisor = HypervisorKind::cloud_hypervisor; w.here.hypervisors = {"qemu"}; }},
    {"automatic takes what is there", "hypervisor-installed", fine, [](World& w) { w.here.hypervisors = {"qemu"}; }},
    {"no kvm", "kvm", refused, [](World& w) { w.here.kvm = false; }},
    {"more CPUs than the node has", "cpu-count", warned, [](World& w) { w.vm.cpus = 5; }},
    {"overcommitted", "cpu-count", warned, [](World& w) { w.other.cpus = 15; run_on(w.here, "vm2", RunState::running); }},
    {"just not overcommitted", "cpu-count", fine, [](World& w) { w.other.cpus = 14; run_on(w.here, "vm2", RunState::running); }},
    {"stopped VMs do not count", "cpu-count", fine, [](World& w) { w.other.cpus = 100; }},
    {"not enough memory free", "memory", refused, [](World& w) { w.here.memory_available = Bytes::mib(600); }},
    {"memory promised to another", "memory", refused, [](World& w) { w.other.memory = Bytes::mib(3500); run_on(w.here, "vm2", RunState::running); }},
    {"memory of a guest that was started with more than is configured now", "memory", refused, [](World& w) {
       w.other.memory = Bytes::mib(64);
       run_on(w.here, "vm2", RunState::running);
       w.here.vms["vm2"].started_with = StartedWith{1, Bytes::mib(3500), {}};
     }},
    {"memory just enough", "memory", fine, [](World& w) { w.here.memory_available = Bytes::mib(512 + 48 + 256); }},
    {"kernel missing", "kernel-present", refused, [](World& w) { w.here.files_sha256.erase("/boot/k"); }},
    {"kernel missing at the peer", "kernel-present", warned, [](World& w) { w.peer.files_sha256.erase("/boot/k"); }},
    {"kernel differs at the peer", "kernel-present", warned, [](World& w) { w.peer.files_sha256["/boot/k"] = "zz"; }},
    {"initramfs missing", "initramfs-present", refused, [](World& w) { w.here.files_sha256.erase("/boot/i"); }},
    {"firmware missing", "firmware-present", refused, [](World& w) { w.vm.boot.firmware = "/boot/none"; }},
    {"firmware there", "firmware-present", fine, [](World& w) { w.vm.boot.firmware = "/boot/fw"; }},
    {"no such bridge", "network-present", refused, [](World& w) { w.here.bridges.clear(); }},
    {"no such network", "network-present", refused, [](World& w) { w.vm.nics[0].network = NetworkName::trusted("dmz"); }},
    {"MAC of a running VM", "mac-in-use", refused, [](World& w) { w.other.nics = w.vm.nics; run_on(w.peer, "vm2", RunState::running); }},
    {"MAC of a stopped VM", "mac-in-use", warned, [](World& w) { w.other.nics = w.vm.nics; }},
    {"disk of a running VM", "disk-in-use", refused, [](World& w) { w.other.volumes = w.vm.volumes; run_on(w.here, "vm2", RunState::running); }},
    {"disk of a stopped VM", "disk-in-use", fine, [](World& w) { w.other.volumes = w.vm.volumes; }},
    {"peer is Primary", "disk-in-use", refused, [](World& w) { w.here.volumes["vm1-0"].peer_role = DiskRole::primary; }},
    {"volume without record", "volumes-present", refused, [](World& w) { w.with_volume = false; }},
    {"volume not in the kernel", "volumes-present", refused, [](World& w) { w.here.volumes.clear(); }},
    {"local volume of the other node", "volumes-present", refused, [](World& w) { w.volume.kind = VolumeKind::local; w.volume.node = "B"; }},
    {"local volume of this node", "volumes-present", fine, [](World& w) { w.volume.kind = VolumeKind::local; w.volume.node = "A"; w.here.volumes.clear(); }},
    {"inconsistent", "volumes-up-to-date", refused, [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::inconsistent; }},
    {"outdated", "volumes-up-to-date", refused, [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::outdated; }},
    {"frozen", "volumes-up-to-date", refused, [](World& w) { w.here.volumes["vm1-0"].suspended = IoHold::parse("fencing"); }},
    {"not redundant", "volumes-up-to-date", warned, [](World& w) { w.here.volumes["vm1-0"].connection = ConnectionState::connecting; }},
    {"belongs to B, which was confirmed down", "owner-here", fine, [](World& w) { w.vm.owner = NodeName::trusted("B"); w.peer_answers = false; w.takes_over = true; }},
    {"B was confirmed down", "running-elsewhere", fine, [](World& w) { w.peer_answers = false; w.takes_over = true; }},
    {"consistent", "volumes-up-to-date", refused, [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::consistent; }},
    {"consistent, and this node went on alone with it", "volumes-up-to-date", warned,
     [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::consistent; w.here.volumes["vm1-0"].connection = ConnectionState::standalone; w.fresh_alone = true; }},
    {"outdated, and a person accepted it", "volumes-up-to-date", warned,
     [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::outdated; w.here.volumes["vm1-0"].connection = ConnectionState::standalone; w.fresh_alone = true; }},
    {"inconsistent, although this node went on alone with it", "volumes-up-to-date", refused, [](World& w) { w.here.volumes["vm1-0"].disk = DiskState::inconsistent; w.fresh_alone = true; }},
    {"mismatch", "verify-gate", refused, [](World& w) { w.volume.verdict = {VerdictKind::mismatch, 1, "A", {{0, 8}}, {}}; }},
    {"suspect", "verify-gate", refused, [](World& w) { w.suspect = true; }},
    {"mismatch, overridden", "verify-gate", warned, [](World& w) { w.volume.verdict.kind = VerdictKind::mismatch; w.overridden = true; }},
    {"never verified does not gate", "verify-gate", fine, [](World& w) { w.volume.verdict.kind = VerdictKind::never; }},
};

TEST(StartChecks, EachConditionIsFoundByItsCheck) {
  for (const Case& c : cases) {
    World world;
    c.spoil(world);
    const std::vector<StartCheck> checks = world.checks();
    const StartCheck& check = find(checks, c.id);
    EXPECT_EQ(check.outcome, c.outcome) << c.name << ": " << check.text;
    EXPECT_EQ(check.fix.empty(), c.outcome == CheckOutcome::ok) << c.name << ": " << check.fix;
    EXPECT_EQ(to_status(world.vm.name, checks).ok(), c.outcome != CheckOutcome::refuse) << c.name;
  }
}

TEST(StartChecks, OneReasonHasItsOwnCodeAndManyHaveOne) {
  World locked;
  locked.vm.lock = LockRecord{"root", "backup"};
  Status status = to_status(locked.vm.name, locked.checks());
  EXPECT_EQ(status.error().code(), ErrorCode::vm_locked);
  EXPECT_EQ(status.error().next(), "root or an administrator types: hvctl vm update vm1 --unlock");
  locked.here.kvm = false;
  status = to_status(locked.vm.name, locked.checks());
  EXPECT_EQ(status.error().code(), ErrorCode::start_refused);
  EXPECT_NE(status.error().message().find("kvm: "), std::string::npos);
  EXPECT_NE(status.error().message().find("locked by root: backup"), std::string::npos);
}

TEST(StartChecks, TheLastOnesAreThoseThatMayHaveChanged) {
  World world;
  std::vector<std::string> ids;
  for (const StartCheck& check : world.checks(last_checks)) ids.push_back(check.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"hypervisor-installed", "kvm", "memory", "kernel-present", "initramfs-present", "firmware-present", "network-present",
                                           "mac-in-use", "verify-gate"}));
  // The promotion decides about disks, the log about owners: looking again could only be wrong about them.
  world.here.volumes.clear();
  world.vm.owner = NodeName::trusted("B");
  EXPECT_TRUE(to_status(world.vm.name, world.checks(last_checks)).ok());
  world.suspect = true;
  EXPECT_EQ(to_status(world.vm.name, world.checks(last_checks)).error().code(), ErrorCode::verify_gate);
  world.overridden = true;
  EXPECT_TRUE(to_status(world.vm.name, world.checks(last_checks)).ok());
}

TEST(ChooseHypervisor, PrefersCloudHypervisorWhereItCanBoot) {
  BootRecord kernel;
  kernel.kernel = "/k";
  const BootRecord disk_only;
  const std::vector<std::string> both{"qemu", "cloud-hypervisor"};
  EXPECT_EQ(*choose_hypervisor(HypervisorKind::automatic, kernel, both), "cloud-hypervisor");
  EXPECT_EQ(*choose_hypervisor(HypervisorKind::automatic, disk_only, both), "qemu");
  EXPECT_EQ(*choose_hypervisor(HypervisorKind::automatic, kernel, {"qemu"}), "qemu");
  EXPECT_EQ(*choose_hypervisor(HypervisorKind::qemu, kernel, both), "qemu");
  EXPECT_FALSE(choose_hypervisor(HypervisorKind::cloud_hypervisor, disk_only, both).ok());
  EXPECT_FALSE(choose_hypervisor(HypervisorKind::qemu, kernel, {"cloud-hypervisor"}).ok());
  EXPECT_EQ(choose_hypervisor(HypervisorKind::automatic, disk_only, {"cloud-hypervisor"}).error().code(), ErrorCode::hypervisor_missing);
}

}  // namespace
}  // namespace mcv::hv
