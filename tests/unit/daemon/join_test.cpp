// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/join/invitations.h"
#include "daemon/join/suitability.h"

namespace mcv::join {
namespace {

JoinFacts healthy(const char* name, const char* address, std::uint32_t id) {
  JoinFacts facts;
  facts.node.name = NodeName::trusted(name);
  facts.node.id = id;
  facts.node.cluster_address = address;
  facts.version = "0.1.0";
  facts.wall_seconds = 1'000'000;
  facts.drbd_version = "8.4.11";
  facts.cpu_flags = {"svm", "avx2"};
  facts.addresses = {"127.0.0.1", address};
  facts.cluster_mtu = 1500;
  facts.calls_back = true;
  facts.facts.name = facts.node.name;
  facts.facts.kvm = true;
  facts.facts.memory_total = Bytes::gib(8);
  facts.facts.bridges = {"br0"};
  facts.facts.volume_group_free = {{"vg0", Bytes::gib(100)}};
  return facts;
}

const JoinFacts a = healthy("A", "10.77.0.11", 1);

/// The code of the one check that failed, or nothing.
std::optional<std::pair<std::string, ErrorCode>> failure(const std::vector<SuitabilityRow>& rows) {
  for (const SuitabilityRow& row : rows) {
    if (row.status == CheckStatus::fail) return std::pair{row.check, row.code};
  }
  return std::nullopt;
}

TEST(Suitability, PassesABlankHealthyNode) {
  const auto rows = suitability(ClusterState{}, a, healthy("B", "10.77.0.12", 1), "B", "10.77.0.12");
  EXPECT_FALSE(has_failure(rows));
}

struct Refusal {
  const char* why;
  void (*spoil)(JoinFacts& there);
  ErrorCode code;
};

class SuitabilityRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(SuitabilityRefuses, WithTheCodeOfTheReason) {
  JoinFacts there = healthy("B", "10.77.0.12", 1);
  GetParam().spoil(there);
  const auto rows = suitability(ClusterState{}, a, there, "B", "10.77.0.12");
  const auto failed = failure(rows);
  ASSERT_TRUE(failed.has_value()) << GetParam().why;
  EXPECT_EQ(failed->second, GetParam().code) << GetParam().why;
  EXPECT_FALSE(to_error(rows, there.node.name).next().empty());
}

INSTANTIATE_TEST_SUITE_P(All, SuitabilityRefuses,
                         testing::Values(Refusal{"has VMs", [](JoinFacts& f) { f.own_objects = {"1 VM"}; }, ErrorCode::not_blank},
                                         Refusal{"in a cluster", [](JoinFacts& f) { f.in_cluster = true; }, ErrorCode::already_clustered},
                                         Refusal{"older build", [](JoinFacts& f) { f.version = "0.0.9"; }, ErrorCode::version_mismatch},
                                         Refusal{"a build that knows more formats", [](JoinFacts& f) { f.format = a.format + 1; }, ErrorCode::version_mismatch},
                                         Refusal{"clock", [](JoinFacts& f) { f.wall_seconds += 3600; }, ErrorCode::clock_skew},
                                         Refusal{"name", [](JoinFacts& f) { f.node.name = NodeName::trusted("C"); }, ErrorCode::name_mismatch},
                                         Refusal{"address", [](JoinFacts& f) { f.addresses = {"127.0.0.1"}; }, ErrorCode::address_not_local},
                                         Refusal{"no KVM", [](JoinFacts& f) { f.facts.kvm = false; }, ErrorCode::not_suitable},
                                         Refusal{"DRBD 9", [](JoinFacts& f) { f.drbd_version = "9.1.4"; }, ErrorCode::drbd_version},
                                         Refusal{"no DRBD", [](JoinFacts& f) { f.drbd_version = ""; }, ErrorCode::drbd_version},
                                         Refusal{"firewall", [](JoinFacts& f) { f.calls_back = false; }, ErrorCode::host_unreachable},
                                         Refusal{"MTU", [](JoinFacts& f) { f.cluster_mtu = 9000; }, ErrorCode::not_suitable},
                                         Refusal{"DRBD link there only", [](JoinFacts& f) { f.node.drbd_address = "10.77.1.12"; }, ErrorCode::not_suitable},
                                         Refusal{"corosync", [](JoinFacts& f) { f.foreign_corosync = true; }, ErrorCode::not_blank}));

TEST(Suitability, ABuildThatDoesNotKnowWhatIsWrittenHereIsRefusedByTheFormat) {
  JoinFacts here = a;
  here.format = here.written_format = 3;
  const JoinFacts there = healthy("B", "10.77.0.12", 1);
  const auto rows = suitability(ClusterState{}, here, there, "B", "10.77.0.12");
  EXPECT_EQ(failure(rows), (std::pair{std::string("format"), ErrorCode::format_unknown}));
  EXPECT_NE(to_error(rows, there.node.name).message().find("knows formats up to 1"), std::string::npos);
}

TEST(Suitability, TheFactsOfABuildBeforeFormatsWereToldAreOfTheFirst) {
  JoinFacts facts = a;
  facts.format = facts.written_format = 2;
  EXPECT_EQ(join_facts_from_json(to_json(facts))->written_format, 2u);
  Json older = to_json(facts);
  older.erase("written_format");
  EXPECT_EQ(join_facts_from_json(older)->written_format, 1u);
}

struct Warning {
  const char* check;
  void (*spoil)(JoinFacts& there);
  const char* text;  ///< part of it
};

class SuitabilityWarns : public testing::TestWithParam<Warning> {};

TEST_P(SuitabilityWarns, AndTheNodeMayJoin) {
  ClusterState state;
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.owner = a.node.name;
  vm.memory = Bytes::gib(6);
  ASSERT_TRUE(state.apply({"c", "", {put_new(a.node), put_new(vm)}}, 1).ok());
  JoinFacts there = healthy("B", "10.77.0.12", 1);
  const auto status_of = [&]() {
    const auto rows = suitability(state, a, there, "B", "10.77.0.12");
    EXPECT_FALSE(has_failure(rows));
    return *std::find_if(rows.begin(), rows.end(), [](const SuitabilityRow& row) { return row.check == GetParam().check; });
  };
  EXPECT_EQ(status_of().status, CheckStatus::pass);
  GetParam().spoil(there);
  const SuitabilityRow row = status_of();
  EXPECT_EQ(row.status, CheckStatus::warn);
  EXPECT_NE(row.text.find(GetParam().text), std::string::npos) << row.text;
  EXPECT_FALSE(row.fix.empty());
}

INSTANTIATE_TEST_SUITE_P(EachReason, SuitabilityWarns,
                         testing::Values(Warning{"clock", [](JoinFacts& f) { f.wall_seconds += 6; }, "6 s"},
                                         Warning{"cpu", [](JoinFacts& f) { f.cpu_flags = {"svm"}; }, "avx2 among them"},
                                         Warning{"memory", [](JoinFacts& f) { f.facts.memory_total = Bytes::gib(4); }, "want 6 GiB, B has 4 GiB"}));

JoinFacts with_drbd_link(JoinFacts facts, const char* address) {
  facts.node.drbd_address = address;
  facts.addresses.push_back(address);
  facts.drbd_mtu = 9000;
  facts.reaches_drbd = true;
  return facts;
}

struct ReplicationLink {
  const char* why;
  void (*spoil)(JoinFacts& here, JoinFacts& there);
  std::optional<ErrorCode> code;
  const char* text;  ///< part of it
  const char* fix;
};

class SuitabilityOfTheReplicationLink : public testing::TestWithParam<ReplicationLink> {};

TEST_P(SuitabilityOfTheReplicationLink, IsARow) {
  JoinFacts here = with_drbd_link(a, "10.77.1.11");
  JoinFacts there = with_drbd_link(healthy("B", "10.77.0.12", 1), "10.77.1.12");
  GetParam().spoil(here, there);
  const auto rows = suitability(ClusterState{}, here, there, "B", "10.77.0.12");
  const auto row = std::find_if(rows.begin(), rows.end(), [](const SuitabilityRow& one) { return one.check == "drbd-address"; });
  ASSERT_NE(row, rows.end());
  EXPECT_NE(row->text.find(GetParam().text), std::string::npos) << row->text;
  EXPECT_NE(row->fix.find(GetParam().fix), std::string::npos) << row->fix;
  const auto failed = failure(rows);
  EXPECT_EQ(failed.has_value(), GetParam().code.has_value()) << GetParam().why;
  if (failed) {
    EXPECT_EQ(*failed, (std::pair{std::string("drbd-address"), *GetParam().code}));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SuitabilityOfTheReplicationLink,
    testing::Values(
        ReplicationLink{"well", [](JoinFacts&, JoinFacts&) {}, std::nullopt, "10.77.1.11 and 10.77.1.12 reach each other, MTU 9000", ""},
        ReplicationLink{"none", [](JoinFacts& f, JoinFacts& o) { f.node.drbd_address = o.node.drbd_address = ""; }, std::nullopt, "uses the cluster link", ""},
        ReplicationLink{"not tried", [](JoinFacts& f, JoinFacts& o) { f.reaches_drbd = o.reaches_drbd = std::nullopt; }, std::nullopt, "10.77.1.12", ""},
        ReplicationLink{"here only", [](JoinFacts&, JoinFacts& o) { o.node.drbd_address = ""; }, ErrorCode::not_suitable, "B has no replication address", "on B: hvctl node set-drbd-address"},
        ReplicationLink{"there only", [](JoinFacts& f, JoinFacts&) { f.node.drbd_address = ""; }, ErrorCode::not_suitable, "A has no replication address", "on A: hvctl node set-drbd-address"},
        ReplicationLink{"gone there", [](JoinFacts&, JoinFacts& o) { o.addresses.pop_back(); }, ErrorCode::address_not_local, "10.77.1.12 is on no interface of B", "on B: ip address show"},
        ReplicationLink{"gone here", [](JoinFacts& f, JoinFacts&) { f.addresses.pop_back(); }, ErrorCode::address_not_local, "10.77.1.11 is on no interface of A", "on A: ip address show"},
        ReplicationLink{"silent there", [](JoinFacts& f, JoinFacts&) { f.reaches_drbd = false; }, ErrorCode::host_unreachable, "A gets no answer from 10.77.1.12 port 7900", "ping 10.77.1.12"},
        ReplicationLink{"silent back", [](JoinFacts&, JoinFacts& o) { o.reaches_drbd = false; }, ErrorCode::host_unreachable, "B gets no answer from 10.77.1.11 port 7900", "ping 10.77.1.11"},
        ReplicationLink{"MTU", [](JoinFacts&, JoinFacts& o) { o.drbd_mtu = 1500; }, ErrorCode::not_suitable, "MTU 9000 here and 1500 there", "ip link set"}));

TEST(Suitability, NamesEveryPortWhetherItPassesOrNot) {
  for (const bool calls_back : {true, false}) {
    JoinFacts there = with_drbd_link(healthy("B", "10.77.0.12", 1), "10.77.1.12");
    there.calls_back = calls_back;
    there.node.peer_port = 8802;
    const auto rows = suitability(ClusterState{}, with_drbd_link(a, "10.77.1.11"), there, "B", "10.77.0.12");
    const auto row = std::find_if(rows.begin(), rows.end(), [](const SuitabilityRow& one) { return one.check == "ports"; });
    ASSERT_NE(row, rows.end());
    const std::string said = row->text + row->fix;
    EXPECT_NE(said.find("between 10.77.0.11 and 10.77.0.12: TCP 8801 and 8802 and UDP 5405"), std::string::npos) << said;
    EXPECT_NE(said.find("between 10.77.1.11 and 10.77.1.12: TCP 7900-8799"), std::string::npos) << said;
    EXPECT_EQ(row->status, calls_back ? CheckStatus::pass : CheckStatus::fail);
  }
}

TEST(Suitability, SaysThatNoNameHasToResolve) {
  const auto rows = suitability(ClusterState{}, a, healthy("B", "10.77.0.12", 1), "B", "10.77.0.12");
  EXPECT_EQ(rows.front().check, "name");
  EXPECT_NE(rows.front().text.find("nothing has to resolve it"), std::string::npos);
}

TEST(Suitability, NeedsThePoolsAndNetworksOfTheCluster) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg9", "mcv-fast", "", {}};
  NetworkRecord lan{NetworkName::trusted("lan"), "br7"};
  ASSERT_TRUE(state.apply({"c", "", {put_new(pool), put_new(lan)}}, 1).ok());
  const auto rows = suitability(state, a, healthy("B", "10.77.0.12", 1), "", "");
  EXPECT_EQ(failure(rows)->first, "pool-fast");
  EXPECT_NE(to_error(rows, NodeName::trusted("B")).message().find("1 more"), std::string::npos);
}

/// Of the row "pool-room-fast": A's pool has 40 GiB, and two replicated disks of 30 GiB with `written` each.
SuitabilityRow pool_room(Bytes written, void (*change)(JoinFacts& there)) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {{"B", "data"}}};
  JoinFacts here = a;
  here.thin_pools = {{"vg0/mcv-fast", Bytes::gib(40)}};
  Change change_of_state{"c", "", {put_new(pool)}};
  for (const char* name : {"vm1-0", "vm2-0"}) {
    VolumeRecord volume;
    volume.name = VolumeName::trusted(name);
    volume.vm = VmName::trusted("vm1");
    volume.pool = pool.name;
    volume.kind = VolumeKind::drbd;
    volume.size = Bytes::gib(30);
    change_of_state.mutations.push_back(put_new(volume));
    here.facts.written[name] = written;
  }
  EXPECT_TRUE(state.apply(change_of_state, 1).ok());
  JoinFacts there = healthy("B", "10.77.0.12", 1);
  there.facts.volume_group_free = {{"data", Bytes::gib(100)}};
  change(there);
  for (const SuitabilityRow& row : suitability(state, here, there, "", "")) {
    if (row.check == "pool-room-fast") return row;
  }
  ADD_FAILURE() << "no such row";
  return {};
}

/// A pool of that fill on B, which takes nearly all of its group.
template <int used_gib, bool waits = false, bool ours = true>
void with_pool(JoinFacts& there) {
  there.facts.volume_group_free = {{"data", Bytes::mib(4)}};
  there.thin_pools["data/mcv-fast"] = Bytes::gib(40);
  there.facts.thin_pools["data/mcv-fast"] = {Bytes::gib(40), Bytes::gib(used_gib), 10, Bytes::kib(64), waits, ours};
}

TEST(Suitability, WhatTheJoinCopiesFitsThere) {
  EXPECT_EQ(pool_room(Bytes::gib(10), [](JoinFacts&) {}).status, CheckStatus::pass) << "more than its size is promised, not written";
  const SuitabilityRow as_large = pool_room(Bytes::gib(20), [](JoinFacts&) {});
  EXPECT_EQ(as_large.status, CheckStatus::fail);
  EXPECT_NE(as_large.text.find("made as large as the one here"), std::string::npos) << as_large.text;
  EXPECT_NE(as_large.fix.find("on A: lvextend --size +10G vg0/mcv-fast"), std::string::npos) << as_large.fix;
  EXPECT_EQ(pool_room(Bytes::gib(10), with_pool<0>).status, CheckStatus::pass) << "the room is in the pool, not beside it";
  const SuitabilityRow full = pool_room(Bytes::gib(10), with_pool<30>);
  EXPECT_EQ(full.status, CheckStatus::fail);
  EXPECT_EQ(full.code, ErrorCode::pool_full);
  EXPECT_NE(full.text.find("on B has 6 GiB of 40 GiB left below 90 %"), std::string::npos) << full.text;
  EXPECT_NE(full.fix.find("on B: lvextend --size +"), std::string::npos) << full.fix;
}

TEST(Suitability, AThinPoolThereThatLetsWritesWaitIsRefusedUnlessItIsOurs) {
  const SuitabilityRow waits = pool_room(Bytes::gib(1), with_pool<0, true, false>);
  EXPECT_EQ(waits.status, CheckStatus::fail);
  EXPECT_EQ(waits.code, ErrorCode::pool_waits);
  EXPECT_EQ(waits.fix, "on B: lvchange --errorwhenfull y data/mcv-fast");
  EXPECT_EQ(pool_room(Bytes::gib(1), with_pool<0, true, true>).status, CheckStatus::pass) << "the join sets it right";
}

TEST(Suitability, ANodeWhoseLvmDoesNotAnswerIsToldWhatIsMissing) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {}};
  ASSERT_TRUE(state.apply({"c", "", {put_new(pool)}}, 1).ok());
  JoinFacts there = healthy("B", "10.77.0.12", 1);
  there.facts.volume_group_free.clear();
  there.facts.volume_groups_unknown = Error(ErrorCode::command_missing, "the program 'vgs' is not installed").with_next("apt install lvm2");
  for (const SuitabilityRow& row : suitability(state, a, there, "", "")) {
    if (row.check != "pool-fast") continue;
    EXPECT_EQ(row.code, ErrorCode::command_missing);
    EXPECT_EQ(row.fix, "on B: apt install lvm2");
    return;
  }
  ADD_FAILURE() << "no such row";
}

/// Of the row "pool-size-fast", where A's thin pool has 40 GiB.
SuitabilityRow pool_size(void (*change)(JoinFacts& there)) {
  ClusterState state;
  PoolRecord pool{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {{"B", "data"}}};
  EXPECT_TRUE(state.apply({"c", "", {put_new(pool)}}, 1).ok());
  JoinFacts here = a;
  here.thin_pools = {{"vg0/mcv-fast", Bytes::gib(40)}};
  JoinFacts there = healthy("B", "10.77.0.12", 1);
  there.facts.volume_group_free = {{"data", Bytes::gib(100)}};
  change(there);
  for (const SuitabilityRow& row : suitability(state, here, there, "", "")) {
    if (row.check == "pool-size-fast") return row;
  }
  ADD_FAILURE() << "no such row";
  return {};
}

TEST(Suitability, AThinPoolIsAsLargeThereOrTheJoinSaysWhatToDo) {
  EXPECT_EQ(pool_size([](JoinFacts&) {}).status, CheckStatus::pass);
  const SuitabilityRow full = pool_size([](JoinFacts& there) { there.facts.volume_group_free["data"] = Bytes::gib(40); });
  EXPECT_EQ(full.status, CheckStatus::fail) << "its metadata need room, too";
  EXPECT_EQ(full.code, ErrorCode::pool_full);
  EXPECT_NE(full.fix.find("vgextend data"), std::string::npos);
  EXPECT_NE(full.fix.find("--name mcv-fast data"), std::string::npos);
  const SuitabilityRow smaller = pool_size([](JoinFacts& there) {
    there.facts.volume_group_free["data"] = Bytes::mib(1);
    there.thin_pools["data/mcv-fast"] = Bytes::gib(20);
  });
  EXPECT_EQ(smaller.status, CheckStatus::warn) << "the administrator made it";
  EXPECT_EQ(pool_size([](JoinFacts& there) { there.thin_pools["data/mcv-fast"] = Bytes::gib(40); }).status, CheckStatus::pass);
}

TEST(JoinFacts, ReadBackFromTheirJson) {
  JoinFacts with_pool = a;
  with_pool.thin_pools = {{"vg0/mcv-fast", Bytes::gib(40)}};
  for (const JoinFacts& facts : {a, with_drbd_link(a, "10.77.1.11"), with_pool}) {
    const auto copy = join_facts_from_json(*parse_json(canonical(to_json(facts))));
    ASSERT_TRUE(copy.ok()) << copy.error().message();
    EXPECT_EQ(canonical(to_json(*copy)), canonical(to_json(facts)));
    EXPECT_EQ(copy->thin_pools, facts.thin_pools);
  }
}

class ManualClock final : public host::Clock {
 public:
  host::Instant now() const override { return instant; }
  std::int64_t wall_seconds() const override { return 0; }
  boost::asio::awaitable<void> sleep_for(host::Duration) override { co_return; }
  host::Instant instant;
};

class CountingRandom final : public host::Random {
 public:
  std::uint64_t next() override { return ++count_ * 0x9e3779b97f4a7c15ULL; }

 private:
  std::uint64_t count_ = 0;
};

TEST(Invitations, AdmitOnlyTheKeyThatRedeemedALivingToken) {
  ManualClock clock;
  CountingRandom random;
  Invitations invitations(clock, random);
  const std::string token = invitations.issue();
  EXPECT_FALSE(invitations.redeem("wrong", "key-a").ok());
  EXPECT_FALSE(invitations.admits("key-a"));
  EXPECT_TRUE(invitations.redeem(token, "key-a").ok());
  EXPECT_TRUE(invitations.redeem(token, "key-a").ok());
  EXPECT_FALSE(invitations.redeem(token, "key-b").ok());
  EXPECT_TRUE(invitations.admits("key-a"));
  EXPECT_FALSE(invitations.admits("key-b"));
  clock.instant = clock.instant + std::chrono::minutes(16);
  EXPECT_FALSE(invitations.admits("key-a"));
}

}  // namespace
}  // namespace mcv::join
