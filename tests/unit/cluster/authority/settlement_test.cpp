// SPDX-License-Identifier: Apache-2.0
// A's history is chosen, B's is given up: what becomes of the VMs, and what is to be typed again.
#include "cluster/authority/settlement.h"

#include "cluster/model/access_records.h"
#include "fixture.h"

namespace mcv::authority::settlement_test {
namespace {

using namespace test;

struct Case {
  Case() {
    ours.state = theirs.state = state_with_vm1(node_a);
    base_facts.name = node_a;
    other_facts.name = node_b;
    ours.end.index = theirs.end.index = 1;
  }
  /// One entry more of that history.
  static void change(History& history, std::vector<Mutation> mutations, const char* action = "changed") {
    Change change{"c", "test", std::move(mutations)};
    HistoryEntry entry{++history.end.index, "test", {}};
    for (const Mutation& mutation : change.mutations) entry.objects.push_back({mutation.kind, mutation.key, action});
    const Status applied = history.state.apply(change, history.end.index);
    if (!applied.ok()) ADD_FAILURE() << applied.error().to_text();
    history.entries.push_back(std::move(entry));
  }
  static void own(History& history, const NodeName& owner) {
    change(history, {patch(Kind::vm, "vm1", {{"owner", owner.str()}}), patch(Kind::volume, "vm1-0", {{"last_primary", owner.str()}})});
  }
  static void run(NodeFacts& facts) {
    facts.vms["vm1"].state = RunState::running;
    facts.volumes["vm1-0"] = leg(DiskRole::primary, ConnectionState::standalone);
  }
  static VmRecord vm(const char* name, const char* uuid, const NodeName& owner) {
    VmRecord vm;
    vm.name = VmName::trusted(name);
    vm.uuid = uuid;
    vm.owner = owner;
    vm.cpus = 2;
    vm.memory = Bytes::mib(512);
    return vm;
  }
  static VolumeRecord local(const char* name, const char* vm, const NodeName& node, const char* pool = "fast") {
    VolumeRecord volume;
    volume.name = VolumeName::trusted(name);
    volume.vm = VmName::trusted(vm);
    volume.pool = PoolName::trusted(pool);
    volume.node = node.str();
    volume.size = Bytes::gib(1);
    return volume;
  }
  /// A VM with a local disk on `node`, made there.
  static void make(History& history, const char* name, const char* uuid, const NodeName& node) {
    VmRecord made = vm(name, uuid, node);
    made.volumes = {VolumeName::trusted(std::string(name) + "-0")};
    change(history, {put_new(made), put_new(local((std::string(name) + "-0").c_str(), name, node))}, "created");
  }

  Result<Settlement> settled() {
    const SettleQuestion question{node_a, node_b, ours, theirs, base_facts, other_facts, ledger};
    return settle(question);
  }
  /// A's configuration afterwards.
  ClusterState after() {
    ClusterState state = ours.state;
    const auto settlement = settled();
    if (!settlement.ok()) {
      ADD_FAILURE() << settlement.error().to_text();
      return state;
    }
    const Status applied = state.apply({"s", "settle", settlement->mutations}, 99);
    EXPECT_TRUE(applied.ok());
    return state;
  }
  std::string owner() { return after().vm(vm1)->owner.str(); }
  std::vector<std::string> commands() {
    std::vector<std::string> list;
    const auto settlement = settled();
    if (!settlement.ok()) ADD_FAILURE() << settlement.error().to_text();
    else for (const ToRepeat& item : settlement->to_repeat) list.push_back(item.command.empty() ? "# " + item.text : item.command);
    return list;
  }

  History ours, theirs;
  NodeFacts base_facts, other_facts;
  AloneLedger ledger;
};

using Spoil = void (*)(Case&);

TEST(Settlement, AVmGoesWithItsDisk) {
  const struct {
    const char* what;
    Spoil prepare;
    const char* owner;
  } cases[] = {
      {"nobody touched it", [](Case&) {}, "A"},
      {"B took it over and runs it", [](Case& c) { Case::own(c.theirs, node_b); Case::run(c.other_facts); }, "B"},
      {"B took it over, its disk is open there and no guest is seen",
       [](Case& c) {
         Case::own(c.theirs, node_b);
         c.other_facts.volumes["vm1-0"] = leg(DiskRole::primary, ConnectionState::standalone);
       },
       "B"},
      {"what the guest does there is not known", [](Case& c) { Case::own(c.theirs, node_b); c.other_facts.vms["vm1"].state = RunState::unknown; }, "B"},
      {"it was B's, A took it over and runs it",
       [](Case& c) {
         c.ours.state = c.theirs.state = state_with_vm1(node_b);
         Case::own(c.ours, node_a);
         Case::run(c.base_facts);
       },
       "A"},
      {"it was B's, A took it over, and it runs on B", [](Case& c) {
         c.ours.state = c.theirs.state = state_with_vm1(node_b);
         Case::own(c.ours, node_a);
         Case::run(c.other_facts);
       }, "B"},
      {"it runs nowhere, and only B went on with its disk",
       [](Case& c) {
         Case::own(c.theirs, node_b);
         c.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
       },
       "B"},
      {"it runs nowhere, and both went on with its disk",
       [](Case& c) {
         Case::own(c.theirs, node_b);
         c.ledger = Records().since(node_a, alone_since(generation(2, "A"), {disk})).since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
       },
       "A"},
      {"it runs nowhere, and nothing is recorded", [](Case& c) { Case::own(c.theirs, node_b); }, "A"},
      {"B withdrew: the copies were equal since",
       [](Case& c) {
         Case::own(c.theirs, node_b);
         c.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).withdrawn(node_b, {disk}).since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
       },
       "A"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    Case question;
    test.prepare(question);
    EXPECT_EQ(question.owner(), test.owner);
    const auto after = question.after();
    const bool moved = std::string(test.owner) == "B" && question.theirs.state.volume(disk)->last_primary == "B";
    if (moved) {
      EXPECT_EQ(after.volume(disk)->last_primary, "B") << "who was Primary last goes with it";
    }
  }
}

TEST(Settlement, IsRefusedWhereAGuestWouldBeEndedOrLeftWithoutItsDisk) {
  const struct {
    const char* what;
    Spoil prepare;
    ErrorCode code;
    const char* says;
  } cases[] = {
      {"it runs on both", [](Case& c) { Case::own(c.theirs, node_b); Case::run(c.base_facts); Case::run(c.other_facts); }, ErrorCode::guest_running, "each on a copy of its own"},
      {"A is deleting what runs on B",
       [](Case& c) {
         Case::change(c.ours, {patch(Kind::vm, "vm1", {{"deleting", true}})});
         Case::own(c.theirs, node_b);
         Case::run(c.other_facts);
       },
       ErrorCode::guest_running, "A is deleting it"},
      {"B runs another VM of a name that A has",
       [](Case& c) {
         Case::make(c.ours, "web", "u1", node_a);
         Case::make(c.theirs, "web", "u2", node_b);
         c.other_facts.vms["web"].state = RunState::running;
       },
       ErrorCode::guest_running, "another VM of that name"},
      {"what only B has lies in a pool that is another one on A",
       [](Case& c) {
         PoolRecord other;
         other.name = PoolName::trusted("big");
         other.volume_group = "vg1";
         Case::change(c.ours, {put_new(other)}, "created");
         other.volume_group = "vg2";
         VmRecord vm = Case::vm("web", "u2", node_b);
         vm.volumes = {VolumeName::trusted("web-0")};
         Case::change(c.theirs, {put_new(other), put_new(vm), put_new(Case::local("web-0", "web", node_b, "big"))}, "created");
       },
       ErrorCode::in_use, "pool big"},
      {"the port of its disk is taken on A",
       [](Case& c) {
         VolumeRecord volume = Case::local("web-0", "web", node_b);
         volume.kind = VolumeKind::drbd;
         volume.minor = 500;
         volume.port = c.ours.state.volume(disk)->port;
         VmRecord vm = Case::vm("web", "u2", node_b);
         vm.volumes = {volume.name};
         Case::change(c.theirs, {put_new(vm), put_new(volume)}, "created");
       },
       ErrorCode::in_use, "port"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    Case question;
    test.prepare(question);
    const auto settlement = question.settled();
    ASSERT_FALSE(settlement.ok());
    EXPECT_EQ(settlement.error().code(), test.code);
    EXPECT_NE(settlement.error().message().find(test.says), std::string::npos) << settlement.error().message();
    EXPECT_FALSE(settlement.error().safe().empty());
    EXPECT_FALSE(settlement.error().next().empty());
  }
}

TEST(Settlement, WhatOnlyTheOtherHistoryHasComesAlongWithItsDisksAndWhatTheyStandOn) {
  Case question;
  NetworkRecord network;
  network.name = NetworkName::trusted("dmz");
  network.bridge = "br1";
  PoolRecord pool;
  pool.name = PoolName::trusted("big");
  pool.volume_group = "vg1";
  Case::change(question.theirs, {put_new(network), put_new(pool)}, "created");
  VmRecord vm = Case::vm("web", "u2", node_b);
  vm.volumes = {VolumeName::trusted("web-0")};
  vm.nics = {{network.name, "52:54:00:00:00:01"}};
  Json with_more = vm.to_json();
  with_more["of_a_newer_build"] = 1;
  Mutation put = put_new(vm);
  put.value = with_more;
  Case::change(question.theirs, {put, put_new(Case::local("web-0", "web", node_b, "big"))}, "created");
  question.other_facts.vms["web"].state = RunState::running;
  const ClusterState after = question.after();
  EXPECT_EQ(after.find(Kind::vm, "web")->value, with_more);
  EXPECT_TRUE(after.volume(VolumeName::trusted("web-0")).ok());
  EXPECT_TRUE(after.pool(pool.name).ok());
  EXPECT_TRUE(after.network(network.name).ok());
  EXPECT_EQ(question.commands(), std::vector<std::string>{}) << "it came along: nothing is to be typed";
}

TEST(Settlement, WhatTheBaseDeletedComesBackWithTheDiskAndIsSaid) {
  Case question;
  Case::make(question.theirs, "web", "u2", node_b);
  question.theirs.entries.clear();
  question.ours.entries.push_back({9, "delete web", {{Kind::vm, "web", "deleted"}}});
  EXPECT_TRUE(question.after().vm(VmName::trusted("web")).ok());
  EXPECT_EQ(question.commands(), std::vector<std::string>{"hvctl vm delete web"});
}

TEST(Settlement, TwoVmsOfOneNameAreNotTakenForOne) {
  Case question;
  Case::make(question.ours, "web", "u1", node_a);
  Case::make(question.theirs, "web", "u2", node_b);
  EXPECT_EQ(question.after().vm(VmName::trusted("web"))->uuid, "u1");
  const std::vector<std::string> wanted = {"# the disks of the VM web that is given up stay on B as they are: mcv-web-0",
                                           "hvctl vm create web-2 --cpus 2 --memory 512M --disk-size 1G --storage-type local --storage fast --hypervisor auto --node B"};
  EXPECT_EQ(question.commands(), wanted);
}

TEST(ToRepeat, WhatWasChangedAsCommandsToPaste) {
  const struct {
    const char* what;
    Spoil prepare;
    std::vector<std::string> commands;
  } cases[] = {
      {"nothing", [](Case&) {}, {}},
      {"a network",
       [](Case& c) {
         NetworkRecord network;
         network.name = NetworkName::trusted("dmz");
         network.bridge = "br1";
         Case::change(c.theirs, {put_new(network)}, "created");
       },
       {"hvctl network create dmz --bridge br1"}},
      {"a network that A made as well",
       [](Case& c) {
         NetworkRecord network;
         network.name = NetworkName::trusted("dmz");
         network.bridge = "br1";
         for (History* side : {&c.ours, &c.theirs}) Case::change(*side, {put_new(network)}, "created");
       },
       {}},
      {"a pool",
       [](Case& c) {
         PoolRecord pool;
         pool.name = PoolName::trusted("big");
         pool.volume_group = "vg1";
         pool.per_node_volume_group["B"] = "data";
         Case::change(c.theirs, {put_new(pool)}, "created");
       },
       {"hvctl storage create big --vg vg1 --node-vg B=data --thin"}},
      {"CPUs, memory and autostart",
       [](Case& c) {
         VmRecord vm = *c.theirs.state.vm(vm1);
         vm.cpus = 4;
         vm.memory = Bytes::mib(1536);
         vm.autostart = true;
         Case::change(c.theirs, {put_at(c.theirs.state, vm)});
       },
       {"hvctl vm update vm1 --cpus 4 --memory 1536M --autostart on"}},
      {"what A changed stays: only B's differs where B touched it",
       [](Case& c) {
         VmRecord vm = *c.ours.state.vm(vm1);
         vm.cpus = 8;
         Case::change(c.ours, {put_at(c.ours.state, vm)});
       },
       {}},
      {"a lock with words",
       [](Case& c) {
         VmRecord vm = *c.theirs.state.vm(vm1);
         vm.lock = LockRecord{"root", "disk check"};
         Case::change(c.theirs, {put_at(c.theirs.state, vm)});
       },
       {"hvctl vm update vm1 --lock 'disk check'"}},
      {"boot files",
       [](Case& c) {
         VmRecord vm = *c.theirs.state.vm(vm1);
         vm.boot.kernel = "/srv/vmlinuz";
         vm.boot.cmdline = "console=ttyS0 quiet";
         Case::change(c.theirs, {put_at(c.theirs.state, vm)});
       },
       {"hvctl vm update vm1 --kernel /srv/vmlinuz --cmdline 'console=ttyS0 quiet'"}},
      {"who was Primary last is no wish", [](Case& c) { Case::change(c.theirs, {patch(Kind::volume, "vm1-0", {{"last_primary", "B"}})}); }, {}},
      {"the policy", [](Case& c) { Case::change(c.theirs, {put_setting(c.theirs.state, "peer-loss", "run-alone")}); }, {"hvctl cluster update --peer-loss run-alone"}},
      {"replication", [](Case& c) { Case::change(c.theirs, {put_setting(c.theirs.state, "drbd", "enabled")}); }, {"hvctl drbd enable"}},
      {"a setting no command sets", [](Case& c) { Case::change(c.theirs, {put_setting(c.theirs.state, "odd", "x")}); }, {"# the setting odd has another value there"}},
      {"an earlier list", [](Case& c) { Case::change(c.theirs, {put_setting(c.theirs.state, "given-up-2", "x")}); }, {}},
      {"users, groups and roles: to whom is there by then",
       [](Case& c) {
         const UserRecord alice{UserName::trusted("alice")};
         const UserRecord bob{UserName::trusted("bob")};
         GroupRecord group{GroupName::trusted("ops"), {bob.name}};
         for (History* side : {&c.ours, &c.theirs}) Case::change(*side, {put_new(bob), put_new(group), put_new(GrantRecord{bob.name, Role::viewer, {}}), put_new(GrantRecord{group.name, Role::viewer, {}})}, "created");
         group.members = {alice.name};
         const GrantedVm vm{vm1, c.theirs.state.vm(vm1)->uuid};
         Case::change(c.theirs, {put_new(alice), put_at(c.theirs.state, group), put_new(GrantRecord{alice.name, Role::operate, vm}), erase_at(c.theirs.state, Kind::setting, "grant/group/ops/viewer"),
                                 erase_at(c.theirs.state, Kind::setting, "grant/user/bob/viewer"), erase_at(c.theirs.state, Kind::setting, "user/bob")});
       },
       {"hvctl user add alice", "hvctl user remove bob", "hvctl group add ops alice", "hvctl grant remove --group ops --role viewer", "hvctl grant add --user alice --role operator --vm vm1"}},
      {"an address",
       [](Case& c) {
         NodeRecord node = *c.theirs.state.node(node_b);
         node.cluster_address = "10.0.0.9";
         Case::change(c.theirs, {put_at(c.theirs.state, node)});
       },
       {"hvctl node set-ip-address 10.0.0.9"}},
      {"its log does not reach back: whatever differs",
       [](Case& c) {
         VmRecord vm = *c.theirs.state.vm(vm1);
         vm.cpus = 4;
         Case::change(c.theirs, {put_at(c.theirs.state, vm)});
         c.theirs.entries.clear();
         c.theirs.is_complete = false;
       },
       {"hvctl vm update vm1 --cpus 4"}},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    Case question;
    test.prepare(question);
    EXPECT_EQ(question.commands(), test.commands);
  }
}

TEST(ToRepeat, SaysWhereBothSidesChangedTheSameVm) {
  Case question;
  for (History* side : {&question.ours, &question.theirs}) {
    VmRecord vm = *side->state.vm(vm1);
    vm.memory = Bytes::gib(side == &question.ours ? 2 : 4);
    Case::change(*side, {put_at(side->state, vm)});
  }
  const auto settlement = question.settled();
  ASSERT_TRUE(settlement.ok());
  ASSERT_EQ(settlement->to_repeat.size(), 1u);
  EXPECT_EQ(settlement->to_repeat[0].command, "hvctl vm update vm1 --memory 4G");
  EXPECT_NE(settlement->to_repeat[0].text.find("A changed it as well"), std::string::npos);
}

TEST(ToRepeat, ADeletionIsRepeatedByHand) {
  Case question;
  NetworkRecord network;
  network.name = NetworkName::trusted("old");
  network.bridge = "br1";
  for (History* side : {&question.ours, &question.theirs}) Case::change(*side, {put_new(network)}, "created");
  question.ours.entries.clear();
  Case::change(question.theirs, {erase_at(question.theirs.state, Kind::network, "old")}, "deleted");
  EXPECT_EQ(question.commands(), std::vector<std::string>{"hvctl network delete old"});
}

}  // namespace
}  // namespace mcv::authority::settlement_test
