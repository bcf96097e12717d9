// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/model/io_hold.h"
#include "cluster/model/observation.h"

namespace mcv {
namespace {

const VolumeName volume = VolumeName::trusted("vm1-0");
constexpr const char* resource = "mcv-vm1-0";

struct Row {
  const char* words;
  std::vector<HoldReason> reasons;
  std::vector<const char*> texts;  ///< in each sentence
  std::vector<const char*> nexts;  ///< in each next command
};

class Holds : public testing::TestWithParam<Row> {};

TEST_P(Holds, HaveTheirOwnSentenceAndNextCommand) {
  const Row& row = GetParam();
  const IoHold hold = IoHold::parse(row.words);
  EXPECT_EQ(hold.words(), row.words);
  EXPECT_EQ(hold.held(), !row.reasons.empty());
  const auto advice = explain(hold, volume, resource);
  ASSERT_EQ(advice.size(), row.reasons.size());
  for (std::size_t i = 0; i < advice.size(); ++i) {
    EXPECT_EQ(advice[i].reason, row.reasons[i]);
    EXPECT_NE(advice[i].text.find(row.texts[i]), std::string::npos) << advice[i].text;
    EXPECT_NE(advice[i].text.find("vm1-0"), std::string::npos) << advice[i].text;
    EXPECT_NE(advice[i].next.find(row.nexts[i]), std::string::npos) << advice[i].next;
  }
}

constexpr const char* away = "the other node is not there";
constexpr const char* by_itself = "bring the other node and the replication link back";
constexpr const char* not_yet = "not before the other reason is gone";

using enum HoldReason;
INSTANTIATE_TEST_SUITE_P(All, Holds,
                         testing::Values(Row{"no", {}, {}, {}},
                                         Row{"fencing", {fencing}, {away}, {by_itself}},
                                         Row{"no-data", {no_data}, {"neither this node's disk nor the other node's"}, {"hvctl drbd list shows both"}},
                                         Row{"user", {user}, {"somebody suspended it"}, {"drbdadm resume-io mcv-vm1-0"}},
                                         // resume-io lifts the fence's hold as well: it must not be what is typed first.
                                         Row{"user,fencing", {fencing, user}, {away, "somebody suspended it"}, {by_itself, not_yet}},
                                         Row{"user,no-data", {no_data, user}, {"neither", "somebody"}, {"bring one of the two back", not_yet}},
                                         Row{"no-data,fencing", {no_data, fencing}, {"neither", away}, {"bring one of the two back", by_itself}},
                                         Row{"user,no-data,fencing", {no_data, fencing, user}, {"neither", away, "somebody"}, {"bring one", by_itself, not_yet}},
                                         Row{"quorum", {unknown}, {"DRBD calls it \"quorum\""}, {"drbdsetup status --verbose mcv-vm1-0"}},
                                         Row{"quorum,fencing", {fencing, unknown}, {away, "\"quorum,fencing\""}, {by_itself, "drbdsetup status"}},
                                         Row{"user,quorum", {unknown, user}, {"\"user,quorum\"", "somebody"}, {"drbdsetup status", not_yet}},
                                         Row{"", {unknown}, {"does not know"}, {"drbdsetup status"}}));

TEST(IoHold, KeepsItsWordsOnTheWayToTheOtherNode) {
  NodeFacts facts;
  facts.name = NodeName::trusted("A");
  facts.volumes["vm1-0"].suspended = IoHold::parse("user,quorum");
  const auto copy = node_facts_from_json(to_json(facts));
  ASSERT_TRUE(copy.ok()) << copy.error().message();
  EXPECT_EQ(copy->volumes.at("vm1-0").suspended, facts.volumes["vm1-0"].suspended);
  EXPECT_TRUE(copy->volumes.at("vm1-0").suspended.has(HoldReason::user));
}

}  // namespace
}  // namespace mcv
