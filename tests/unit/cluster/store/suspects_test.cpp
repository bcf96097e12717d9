// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/store/suspects.h"

namespace mcv::suspects_test {
namespace {

const VolumeName disk = VolumeName::trusted("vm1-0");
const LogStamp found_at{1, "first", 10};

ClusterState state_with(VerdictKind kind, LogStamp after, const std::string& uuid = "u1") {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.uuid = uuid;
  vm.owner = NodeName::trusted("A");
  vm.volumes = {disk};
  VolumeRecord volume;
  volume.name = disk;
  volume.vm = vm.name;
  volume.pool = PoolName::trusted("fast");
  volume.kind = VolumeKind::drbd;
  volume.size = Bytes::mib(64);
  volume.verdict.kind = kind;
  volume.verdict.after = after;
  NodeRecord node;
  node.name = NodeName::trusted("A");
  PoolRecord pool;
  pool.name = volume.pool;
  pool.volume_group = "vg0";
  pool.thin_pool = "mcv-fast";
  ClusterState state;
  const Change change{"c", "fixture", {put_new(node), put_new(pool), put_new(vm), put_new(volume)}};
  const Status applied = state.apply(change, 1);
  EXPECT_TRUE(applied.ok()) << applied.error().message();
  return state;
}

NodeOwnedRecord record(LogStamp at = found_at, const std::string& node = "A", std::uint64_t number = 1) {
  Suspect suspect;
  suspect.volume = disk;
  suspect.vm_uuid = "u1";
  suspect.at = at;
  suspect.reason = "cut off";
  suspect.ranges = {{800, 8}};
  return {node, "stream", number, suspect_kind, suspect.to_json()};
}

bool is_suspect(const ClusterState& state, const std::vector<NodeOwnedRecord>& records) { return SuspectLedger(state, records).find(disk) != nullptr; }

struct Case {
  const char* what;
  VerdictKind verdict;
  LogStamp after;
  bool suspect;
};

TEST(Suspects, OnlyALaterVerdictOfBothNodesLiftsIt) {
  const Case cases[] = {
      {"never verified", VerdictKind::never, {}, true},
      {"clean before it", VerdictKind::clean, {1, "first", 9}, true},
      {"clean with nothing recorded between", VerdictKind::clean, {1, "first", 10}, false},
      {"clean after it", VerdictKind::clean, {1, "first", 12}, false},
      {"a mismatch after it says the same for good", VerdictKind::mismatch, {1, "first", 12}, false},
      {"a mismatch before it", VerdictKind::mismatch, {1, "first", 3}, true},
      {"clean in a later generation", VerdictKind::clean, {2, "second", 4}, false},
      {"clean in an earlier generation", VerdictKind::clean, {0, "", 99}, true},
      {"clean in a generation nobody of this side was in", VerdictKind::clean, {1, "other", 99}, true},
  };
  for (const Case& now : cases) {
    const ClusterState state = state_with(now.verdict, now.after);
    EXPECT_EQ(is_suspect(state, {record()}), now.suspect) << now.what;
    EXPECT_EQ(spent(state, {record()}).empty(), now.suspect) << now.what;
  }
}

TEST(Suspects, OfEitherNodeCountAndTheLatestIsShown) {
  const ClusterState state = state_with(VerdictKind::clean, {1, "first", 10});
  const std::vector<NodeOwnedRecord> records{record({1, "first", 8}, "A"), record({1, "first", 11}, "B")};
  const SuspectLedger ledger(state, records);
  ASSERT_NE(ledger.find(disk), nullptr);
  EXPECT_EQ(ledger.find(disk)->node, "B");
  EXPECT_EQ(ledger.find(disk)->ranges.size(), 1u);
  EXPECT_EQ(ledger.find(VolumeName::trusted("vm2-0")), nullptr);
}

TEST(Suspects, DoNotPassToAnotherVmOfTheName) {
  EXPECT_FALSE(is_suspect(state_with(VerdictKind::never, {}, "u2"), {record()}));
  EXPECT_FALSE(is_suspect(ClusterState(), {record()}));
}

TEST(Suspects, ARecordThatCannotBeReadMayMeanAnyDiskUntilEachIsVerifiedAnew) {
  const Json bodies[] = {Json{{"volume", disk.str()}}, Json{{"counter", 1}, {"generation", "first"}, {"index", 10}}, Json("?"), Json()};
  for (const Json& body : bodies) {
    const NodeOwnedRecord broken{"B", "stream", 7, suspect_kind, body};
    const auto found = unreadable({record(), broken});
    ASSERT_EQ(found, std::vector<NodeOwnedRecord>{broken}) << body.dump();
    EXPECT_TRUE(spent(state_with(VerdictKind::clean, {1, "first", 99}), {broken}).empty());
  }
  const NodeOwnedRecord broken{"B", "stream", 7, suspect_kind, Json("?")};
  const ClusterState before = state_with(VerdictKind::clean, {1, "first", 9});
  const auto closed = doubt(broken, disk, found_at, before);
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->node, "B");
  EXPECT_NE(closed->reason.find("record 7 of B"), std::string::npos) << closed->reason;
  EXPECT_FALSE(is_settled(found_at, before));
  const ClusterState after = state_with(VerdictKind::clean, {1, "first", 11});
  EXPECT_FALSE(doubt(broken, disk, found_at, after).has_value());
  EXPECT_TRUE(is_settled(found_at, after));
  EXPECT_FALSE(doubt(broken, VolumeName::trusted("none"), found_at, before).has_value());
}

TEST(Suspects, AreReadBackAsWritten) {
  const auto read = Suspect::from_json(record().body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->to_json(), record().body);
}

TEST(Suspects, AVerdictKeepsItsPlaceInTheLog) {
  const ClusterState state = state_with(VerdictKind::clean, {3, "third", 7});
  EXPECT_EQ(state.volume(disk)->verdict.after, (LogStamp{3, "third", 7}));
}

}  // namespace
}  // namespace mcv::suspects_test
