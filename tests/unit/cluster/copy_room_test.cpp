// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/copy_room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcv::copy_room_test {
namespace {

using testing::HasSubstr;

const NodeName b = NodeName::trusted("B");
const PoolRecord thin{PoolName::trusted("fast"), PoolKind::thin, "vg0", "mcv-fast", "", {{"B", "data"}}};
const PoolRecord thick{PoolName::trusted("slow"), PoolKind::thick, "vg1", "", "", {}};
constexpr const char* place = "data/mcv-fast";  // B has another group

VolumeRecord volume(const char* name, Bytes size) {
  VolumeRecord record;
  record.name = VolumeName::trusted(name);
  record.size = size;
  return record;
}
const VolumeRecord disk = volume("vm1-0", Bytes::gib(10));

NodeFacts facts_of_b(Bytes used) {
  NodeFacts facts;
  facts.name = b;
  facts.thin_pools[place] = {Bytes::gib(100), used, 10, Bytes::kib(64), false, true};
  facts.volume_group_free["vg1"] = Bytes::gib(20);
  return facts;
}

CopyNeed need(const PoolRecord& pool, Bytes takes, const char* name = "vm1-0") { return {b, pool, VolumeName::trusted(name), takes}; }

// --- what a copy takes -------------------------------------------------------------------------------------

TEST(CopyNeeds, AThinLegTakesWhatIsWrittenWhereItIsCopiedFrom) {
  NodeFacts source;
  source.backing["vm1-0"] = Bytes::gib(10);
  source.written["vm1-0"] = Bytes::gib(3);
  EXPECT_EQ(need_of_new_leg(disk, thin, b, &source).takes, Bytes::gib(3) + Bytes::mib(1));
  EXPECT_EQ(need_of_new_leg(disk, thin, b, nullptr).takes, Bytes::gib(10) + Bytes::mib(1)) << "not known: all of it";
}

TEST(CopyNeeds, AThickLegTakesWholeExtentsOfAllOfIt) {
  NodeFacts source;
  source.written["vm1-0"] = Bytes::gib(3);
  EXPECT_EQ(need_of_new_leg(disk, thick, b, &source).takes, Bytes::gib(10) + Bytes::mib(4));
  EXPECT_EQ(need_of_new_leg(volume("vm1-0", Bytes::mib(9)), thick, b, nullptr).takes, Bytes::mib(12 + 4));
  source.backing["vm1-0"] = Bytes::gib(10) + Bytes::mib(4);
  EXPECT_EQ(need_of_new_leg(disk, thick, b, &source).takes, Bytes::gib(10) + Bytes::mib(4 + 4)) << "as large as its source, which LVM rounded up";
}

struct RepairRow {
  const char* what;
  bool whole;
  Bytes marked;
  Bytes takes;
};

class RepairNeeds : public testing::TestWithParam<RepairRow> {};

TEST_P(RepairNeeds, OfThinPoolsAreInChunks) {
  NodeFacts source;
  source.written["vm1-0"] = Bytes::gib(3);
  const NodeFacts target = facts_of_b(Bytes::gib(1));
  EXPECT_EQ(need_of_repair(disk, thin, target, &source, GetParam().marked, GetParam().whole).takes, GetParam().takes) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(Table, RepairNeeds,
                         testing::Values(RepairRow{"everything that is written at the source", true, Bytes(), Bytes::gib(3)},
                                         RepairRow{"each marked block in a chunk of its own", false, Bytes::kib(8), Bytes::kib(128)},
                                         RepairRow{"never more than the disk", false, Bytes::gib(2), Bytes::gib(10)}, RepairRow{"nothing marked", false, Bytes(), Bytes()}));

TEST(CopyNeeds, AThickSnapshotIsAsLargeAsTheDisk) {
  EXPECT_EQ(need_of_repair(disk, thick, facts_of_b(Bytes()), nullptr, Bytes::kib(4), false).takes, Bytes::gib(10) + Bytes::mib(40 + 4));
}

// --- whether it fits ---------------------------------------------------------------------------------------

struct RoomRow {
  const char* what;
  Bytes used;  ///< of 100 GiB
  CopyKind kind;
  Bytes takes;
  const char* missing;  ///< empty: it fits
  const char* next;
};

class ThinRoom : public testing::TestWithParam<RoomRow> {};

TEST_P(ThinRoom, CountsWhatWillBeWritten) {
  const RoomRow& row = GetParam();
  const Status room = check_room_for_copies({need(thin, row.takes)}, row.kind, {{"B", facts_of_b(row.used)}});
  if (*row.missing == '\0') {
    EXPECT_TRUE(room.ok()) << row.what << ": " << room.error().to_text();
    return;
  }
  ASSERT_FALSE(room.ok()) << row.what;
  EXPECT_EQ(room.error().code(), ErrorCode::pool_full) << row.what;
  EXPECT_THAT(room.error().message(), HasSubstr("storage pool fast on B has ")) << row.what;
  EXPECT_THAT(room.error().message(), HasSubstr(row.missing)) << row.what;
  EXPECT_EQ(room.error().next(), row.next) << row.what;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ThinRoom,
    testing::Values(RoomRow{"new, to 90 % exactly", Bytes::gib(40), CopyKind::fills_new_legs, Bytes::gib(50), "", ""},
                    RoomRow{"new, above 90 %", Bytes::gib(40), CopyKind::fills_new_legs, Bytes::gib(59), "9 GiB are missing", "on B: lvextend --size +10G data/mcv-fast"},
                    RoomRow{"new, a little above", Bytes::gib(40), CopyKind::fills_new_legs, Bytes::gib(50) + Bytes::mib(9), "9 MiB are missing", "on B: lvextend --size +12M data/mcv-fast"},
                    RoomRow{"new, in a pool that is above 90 % already", Bytes::gib(93), CopyKind::fills_new_legs, Bytes::gib(6), "0 B of 100 GiB left below 90 %, and the copies of vm1-0 take 6 GiB: 9 GiB are missing",
                            "on B: lvextend --size +10G data/mcv-fast"},
                    RoomRow{"a repair, to the end", Bytes::gib(40), CopyKind::overwrites, Bytes::gib(60), "", ""},
                    RoomRow{"a repair, beyond the end", Bytes::gib(40), CopyKind::overwrites, Bytes::gib(61), "1 GiB are missing", "on B: lvextend --size +1G data/mcv-fast"},
                    RoomRow{"a repair, whose snapshot is something new", Bytes::gib(91), CopyKind::overwrites, Bytes::kib(64), "are missing", "on B: lvextend --size +2G data/mcv-fast"}));

TEST(CopyRoom, AddsUpWhatGoesToTheSamePlace) {
  const std::vector<CopyNeed> needs = {need(thin, Bytes::gib(30), "vm1-0"), need(thin, Bytes::gib(30), "vm2-0"), need(thick, Bytes::gib(20), "vm3-0")};
  const Status room = check_room_for_copies(needs, CopyKind::fills_new_legs, {{"B", facts_of_b(Bytes::gib(40))}});
  ASSERT_FALSE(room.ok()) << "each fits alone";
  EXPECT_THAT(room.error().message(), HasSubstr("the copies of vm1-0, vm2-0 take 60 GiB: 10 GiB are missing"));
  EXPECT_TRUE(check_room_for_copies(needs, CopyKind::fills_new_legs, {{"B", facts_of_b(Bytes::gib(30))}}).ok());
}

TEST(CopyRoom, OfAVolumeGroupIsWhatItHasFree) {
  EXPECT_TRUE(check_room_for_copies({need(thick, Bytes::gib(20))}, CopyKind::fills_new_legs, {{"B", facts_of_b(Bytes())}}).ok());
  const Status room = check_room_for_copies({need(thick, Bytes::gib(21))}, CopyKind::fills_new_legs, {{"B", facts_of_b(Bytes())}});
  ASSERT_FALSE(room.ok());
  EXPECT_THAT(room.error().message(), HasSubstr("storage pool slow on B has 20 GiB free, and the copies of vm1-0 take 21 GiB: 1 GiB are missing"));
  EXPECT_EQ(room.error().next(), "on B: vgextend vg1 DEVICE");
}

TEST(CopyRoom, NeedsMetadataThatAreNotFullAndAPoolThatFailsAtOnce) {
  NodeFacts facts = facts_of_b(Bytes());
  facts.thin_pools[place].metadata_percent = 90;
  const Status metadata = check_room_for_copies({need(thin, Bytes::mib(1))}, CopyKind::fills_new_legs, {{"B", facts}});
  ASSERT_FALSE(metadata.ok());
  EXPECT_EQ(metadata.error().next(), "on B: lvextend --poolmetadatasize +256M data/mcv-fast");
  facts.thin_pools[place].waits_when_full = true;
  const Status waits = check_room_for_copies({need(thin, Bytes::mib(1))}, CopyKind::fills_new_legs, {{"B", facts}});
  ASSERT_FALSE(waits.ok());
  EXPECT_EQ(waits.error().code(), ErrorCode::pool_waits);
  EXPECT_EQ(waits.error().next(), "on B: lvchange --errorwhenfull y data/mcv-fast");
}

// The step that makes the volume looks again.
TEST(CopyRoom, SaysNothingOfWhatWasNotLookedAt) {
  NodeFacts facts;
  facts.name = b;
  for (const PoolRecord* pool : {&thin, &thick}) {
    EXPECT_TRUE(check_room_for_copies({need(*pool, Bytes::gib(1000))}, CopyKind::fills_new_legs, {{"B", facts}}).ok());
    EXPECT_TRUE(check_room_for_copies({need(*pool, Bytes::gib(1000))}, CopyKind::fills_new_legs, {}).ok());
  }
}

TEST(CopyRoom, TravelsWithTheFactsOfItsNode) {
  NodeFacts facts = facts_of_b(Bytes::gib(7));
  facts.thin_pools[place].metadata_percent = 11.43;
  facts.written["vm1-0"] = Bytes::gib(3);
  const auto copy = node_facts_from_json(to_json(facts));
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  const ThinPoolFacts& pool = copy->thin_pools.at(place);
  EXPECT_EQ(pool.size, Bytes::gib(100));
  EXPECT_EQ(pool.used, Bytes::gib(7));
  EXPECT_DOUBLE_EQ(pool.metadata_percent, 11.43);
  EXPECT_EQ(pool.chunk, Bytes::kib(64));
  EXPECT_TRUE(pool.made_by_mcv);
  EXPECT_EQ(copy->written, facts.written);
  Json older = to_json(facts);
  older.erase("thin_pools");
  older.erase("written");
  const auto of_older = node_facts_from_json(older);
  ASSERT_TRUE(of_older.ok()) << of_older.error().message();
  EXPECT_TRUE(of_older->thin_pools.empty());
}

}  // namespace
}  // namespace mcv::copy_room_test
