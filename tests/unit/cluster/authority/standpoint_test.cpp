// SPDX-License-Identifier: Apache-2.0
#include "cluster/authority/standpoint.h"

#include "fixture.h"

namespace mcv::authority::test::standpoint_test {
namespace {

struct AuthorityCase {
  const char* what;
  void (*spoil)(Standpoint&);
  Authority expected;
};

TEST(Authority, Cases) {
  const AuthorityCase cases[] = {
      {"as typed", [](Standpoint&) {}, Authority::by_word},
      {"nobody said anything", [](Standpoint& s) { s = apart(); }, Authority::none},
      {"a cluster of one", [](Standpoint& s) { s.link = LinkState::single; }, Authority::single},
      {"contact", [](Standpoint& s) { s.link = LinkState::syncing; }, Authority::none},
      {"together", [](Standpoint& s) { s.link = LinkState::together; }, Authority::none},
      {"contact ended it, and was lost again", [](Standpoint& s) { s.link = LinkState::apart; }, Authority::none},
      {"diverged", [](Standpoint& s) { s.link = LinkState::diverged; }, Authority::none},
      {"failed", [](Standpoint& s) { s.link = LinkState::failed; }, Authority::none},
      {"its daemon appears in the group", [](Standpoint& s) { s.peer_in_group = true; }, Authority::none},
      {"this node was booted since", [](Standpoint& s) { s.boot = "boot-2"; }, Authority::earlier},
      {"which boot this is cannot be read", [](Standpoint& s) { s.boot.clear(); }, Authority::earlier},
      {"the record was not written", [](Standpoint& s) { s.ledger = AloneLedger(); }, Authority::earlier},
      {"the record is of an older generation", [](Standpoint& s) { s.generations.push_back(generation(3, "A")); }, Authority::earlier},
      {"the other node took the last generation", [](Standpoint& s) { s.generations.push_back(generation(3, "B")); }, Authority::none},
      {"no generation at all", [](Standpoint& s) { s.generations.clear(); }, Authority::none},
  };
  for (const AuthorityCase& item : cases) {
    Standpoint standpoint = alone();
    item.spoil(standpoint);
    EXPECT_EQ(to_text(authority_over_peer(standpoint)), to_text(item.expected)) << item.what;
    EXPECT_EQ(may_act_alone(standpoint), item.expected == Authority::by_word) << item.what;
  }
}

TEST(Freshness, StandsOnThisNodesOwnRecord) {
  const VolumeFacts facts = held();
  EXPECT_EQ(freshness(alone(), disk, &facts), Freshness::fresh);
  EXPECT_EQ(freshness(alone(), VolumeName::trusted("vm2-0"), &facts), Freshness::not_covered);
  EXPECT_EQ(freshness(apart(), disk, &facts), Freshness::not_covered);
  EXPECT_EQ(freshness(alone(), disk, nullptr), Freshness::not_current);
}

TEST(Freshness, NeedsAWholeCopy) {
  for (const DiskState state : {DiskState::diskless, DiskState::attaching, DiskState::failed, DiskState::negotiating, DiskState::inconsistent, DiskState::outdated, DiskState::unknown}) {
    VolumeFacts facts = held();
    facts.disk = state;
    EXPECT_EQ(freshness(alone(), disk, &facts), Freshness::not_current) << to_text(state);
    EXPECT_EQ(freshness_by_word(apart(), disk, &facts), Freshness::not_current) << to_text(state);
  }
  VolumeFacts rebooted = held();
  rebooted.disk = DiskState::consistent;
  EXPECT_EQ(freshness(alone(), disk, &rebooted), Freshness::fresh);
}

TEST(Freshness, AStandingRecordOfTheOtherNodeOutweighsEverything) {
  const VolumeFacts facts = held();
  Standpoint both = alone();
  both.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).since(node_a, alone_since(generation(2, "A"), {disk})).ledger();
  EXPECT_EQ(freshness(both, disk, &facts), Freshness::peer_went_on);
  Standpoint word = apart();
  word.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
  EXPECT_EQ(freshness_by_word(word, disk, &facts), Freshness::peer_went_on);
}

TEST(Freshness, TheTypedFactsSayNothingOfWhatWasBeforeTheLastContact) {
  const VolumeFacts facts = held();
  EXPECT_EQ(freshness_by_word(apart(), disk, &facts), Freshness::fresh);
  // B took a generation, the nodes met, and B was lost before it could tell with which volumes it had gone on.
  Standpoint met = apart();
  met.generations.push_back(generation(2, "B"));
  EXPECT_EQ(freshness_by_word(met, disk, &facts), Freshness::peer_may_have);
  met.ledger = Records().since(node_b, alone_since(generation(2, "B"), {})).ledger();
  EXPECT_EQ(freshness_by_word(met, disk, &facts), Freshness::fresh) << "with none";
  met.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).ledger();
  EXPECT_EQ(freshness_by_word(met, disk, &facts), Freshness::peer_went_on);
  met.ledger = Records().since(node_b, alone_since(generation(2, "B"), {disk})).withdrawn(node_b, {disk}).ledger();
  EXPECT_EQ(freshness_by_word(met, disk, &facts), Freshness::fresh) << "equal again";
  // Taking a generation of one's own afterwards does not make up for it.
  met.ledger = AloneLedger();
  met.generations.push_back(generation(3, "A"));
  EXPECT_EQ(freshness_by_word(met, disk, &facts), Freshness::peer_may_have);
}

TEST(PeerDecidedLast, Cases) {
  EXPECT_FALSE(peer_decided_last(apart())) << "the first generation is against nobody";
  EXPECT_FALSE(peer_decided_last(alone()));
  Standpoint joined = apart();
  joined.self = node_b;
  joined.peer = node_a;
  EXPECT_FALSE(peer_decided_last(joined)) << "A made the cluster";
  joined.generations.push_back(generation(2, "A"));
  EXPECT_TRUE(peer_decided_last(joined));
}

}  // namespace
}  // namespace mcv::authority::test::standpoint_test
