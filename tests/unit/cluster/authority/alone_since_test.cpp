// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/alone_since.h"

#include <set>

#include "fixture.h"

namespace mcv::authority::test::alone_since_test {
namespace {

const VolumeName other = VolumeName::trusted("vm2-0");

TEST(AloneSince, SurvivesItsJson) {
  AloneSince since = alone_since(generation(2, "A"), {disk, other});
  since.after_leave = true;
  const auto read = AloneSince::from_json(since.to_json());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, since);
}

TEST(AloneLedger, StandsUntilItsWriterWithdrawsIt) {
  Records records;
  records.since(node_a, alone_since(generation(2, "A"), {disk, other}));
  EXPECT_TRUE(records.ledger().stands(node_a, disk));
  EXPECT_FALSE(records.ledger().stands(node_b, disk));
  records.withdrawn(node_b, {disk});
  EXPECT_TRUE(records.ledger().stands(node_a, disk)) << "the other node cannot withdraw it";
  records.withdrawn(node_a, {disk});
  EXPECT_FALSE(records.ledger().stands(node_a, disk));
  EXPECT_EQ(records.ledger().standing(node_a), std::vector<VolumeName>{other});
}

TEST(AloneLedger, ALaterRecordStandsAgain) {
  Records records;
  records.since(node_a, alone_since(generation(2, "A"), {disk})).withdrawn(node_a, {disk}).since(node_a, alone_since(generation(3, "A"), {disk}));
  EXPECT_TRUE(records.ledger().stands(node_a, disk));
}

TEST(AloneLedger, WhatCannotBeReadCountsAsEverything) {
  const AloneLedger ledger = Records().unreadable(node_b).ledger();
  EXPECT_TRUE(ledger.stands(node_b, disk));
  EXPECT_FALSE(ledger.stands(node_a, disk));
}

TEST(AloneLedger, KnowsWhichGenerationsAreNamed) {
  const AloneLedger ledger = Records().since(node_b, alone_since(generation(2, "B"), {})).ledger();
  EXPECT_TRUE(ledger.names(node_b, generation(2, "B").ref));
  EXPECT_FALSE(ledger.names(node_b, generation(3, "B").ref));
  EXPECT_FALSE(ledger.names(node_a, generation(2, "B").ref));
}

TEST(AloneLedger, TheNewestRecordOfAGenerationCounts) {
  const GenerationRecord taken = generation(2, "A");
  const AloneLedger ledger = Records().since(node_a, alone_since(taken, {disk}, "boot-1")).since(node_a, alone_since(taken, {disk}, "boot-2")).ledger();
  ASSERT_NE(ledger.latest(node_a, taken.ref), nullptr);
  EXPECT_EQ(ledger.latest(node_a, taken.ref)->boot, "boot-2");
}

/// Numbered in the order they are added, of A.
struct Written {
  std::vector<NodeOwnedRecord> since, withdrawn;
  std::uint64_t number = 0;
  Written& alone(const AloneSince& body) { return add(since, body.to_json()); }
  Written& torn() { return add(since, Json("torn")); }
  Written& over(const std::vector<VolumeName>& volumes) { return add(withdrawn, withdrawal_to_json(volumes)); }
  Written& add(std::vector<NodeOwnedRecord>& list, Json body) {
    list.push_back({"A", "stream-A", ++number, "", std::move(body)});
    return *this;
  }
  std::set<std::uint64_t> ended(const std::vector<GenerationRecord>& known) const {
    const std::vector<std::uint64_t> numbers = ended_alone(since, withdrawn, known);
    return {numbers.begin(), numbers.end()};
  }
};

TEST(EndedAlone, KeepsWhatStandsAndWhatNamesAGeneration) {
  const std::vector<GenerationRecord> known = {generation(1, "A"), generation(3, "A")};
  AloneSince policy = alone_since(generation(3, "A"), {disk});
  policy.cause = cause_policy;
  const struct {
    const char* what;
    Written written;
    std::set<std::uint64_t> ended;
  } cases[] = {
      {"nothing", Written(), {}},
      {"it stands", Written().alone(alone_since(generation(2, "A"), {disk})), {}},
      {"one of two volumes stands", Written().alone(alone_since(generation(2, "A"), {disk, other})).over({disk}), {}},
      {"withdrawn, of a generation that nobody asks about", Written().alone(alone_since(generation(2, "A"), {disk})).over({disk}), {1, 2}},
      {"withdrawn, of a generation that is known: its withdrawal stays as well", Written().alone(alone_since(generation(3, "A"), {disk})).over({disk}), {}},
      {"the newest names the generation", Written().alone(alone_since(generation(3, "A"), {disk})).alone(alone_since(generation(3, "A"), {}, "boot-2")).over({disk}), {1, 3}},
      {"by policy: it names none", Written().alone(policy).over({disk}), {1, 2}},
      {"of several withdrawals the newest is enough", Written().alone(alone_since(generation(3, "A"), {disk})).over({disk}).alone(alone_since(generation(2, "A"), {disk})).over({disk}), {2, 3}},
      {"a later record stands again", Written().alone(alone_since(generation(2, "A"), {disk})).over({disk}).alone(alone_since(generation(2, "A"), {disk})), {1, 2}},
      {"what cannot be read names every volume", Written().torn().over({disk}), {}},
      {"named volumes none, generation unknown", Written().alone(alone_since(generation(2, "A"), {})), {1}},
  };
  for (const auto& item : cases) EXPECT_EQ(item.written.ended(known), item.ended) << item.what;
}

/// Whatever is asked of the records gets the same answer without those that ended.
TEST(EndedAlone, ChangesNoAnswer) {
  const std::vector<GenerationRecord> known = {generation(1, "A"), generation(2, "A"), generation(4, "A")};
  std::uint64_t seed = 1;
  const auto random = [&seed](std::uint64_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
  };
  const std::vector<VolumeName> sets[] = {{}, {disk}, {other}, {disk, other}};
  for (int round = 0; round < 2000; ++round) {
    Written all;
    for (std::uint64_t records = random(9); records > 0; --records) {
      if (random(2) == 0) {
        AloneSince since = alone_since(generation(2 + random(3), "A"), sets[random(4)], random(2) == 0 ? "boot-1" : "boot-2");
        if (const auto kind = random(4); kind < 2) since.cause = kind == 0 ? cause_policy : cause_accepted;
        all.alone(since);
      } else if (random(12) == 0) {
        all.torn();
      } else {
        all.over(sets[1 + random(3)]);
      }
    }
    const std::set<std::uint64_t> ended = all.ended(known);
    Written kept = all;
    const auto is_gone = [&](const NodeOwnedRecord& record) { return ended.contains(record.number); };
    std::erase_if(kept.since, is_gone);
    std::erase_if(kept.withdrawn, is_gone);
    const AloneLedger before(all.since, all.withdrawn), after(kept.since, kept.withdrawn);
    for (const VolumeName& volume : {disk, other}) {
      ASSERT_EQ(before.stands(node_a, volume), after.stands(node_a, volume)) << round;
      ASSERT_EQ(before.accepted(node_a, volume), after.accepted(node_a, volume)) << round;
      ASSERT_EQ(before.stands_from_another_boot(node_a, volume, "boot-2"), after.stands_from_another_boot(node_a, volume, "boot-2")) << round;
      const AloneSince *was = before.standing_record(node_a, volume), *is = after.standing_record(node_a, volume);
      ASSERT_EQ(was == nullptr, is == nullptr) << round;
      if (was != nullptr) {
        ASSERT_EQ(*was, *is) << round;
      }
    }
    ASSERT_EQ(before.standing(node_a), after.standing(node_a)) << round;
    for (const GenerationRecord& record : known) {
      const AloneSince *was = before.latest(node_a, record.ref), *is = after.latest(node_a, record.ref);
      ASSERT_EQ(was == nullptr, is == nullptr) << round;
      if (was != nullptr) {
        ASSERT_EQ(*was, *is) << round;
      }
    }
    ASSERT_TRUE(kept.ended(known).empty()) << round << ": once is enough";
  }
}

}  // namespace
}  // namespace mcv::authority::test::alone_since_test
