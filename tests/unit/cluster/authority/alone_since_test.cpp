// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/alone_since.h"

#include "fixture.h"

namespace mcv::authority::test {
namespace {

const VolumeName other = VolumeName::trusted("vm2-0");

TEST(AloneSince, SurvivesItsJson) {
  const AloneSince since = alone_since(generation(2, "A"), {disk, other});
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

}  // namespace
}  // namespace mcv::authority::test
