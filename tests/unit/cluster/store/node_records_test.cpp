// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cluster/store/node_records.h"
#include "pair_fixture.h"

namespace mcv::node_records_test {
namespace {

using namespace std::chrono_literals;

class NodeRecordsTest : public test::PairTest {
 protected:
  ~NodeRecordsTest() override {
    for (auto* records : {&records_a, &records_b}) {
      if (*records) clock.run((*records)->stop());
    }
  }
  void load_records(std::unique_ptr<NodeRecords>& records, test::TestNode& node, SharedState& state) {
    records = std::make_unique<NodeRecords>(node.host, state);
    ASSERT_TRUE(clock.run(records->load()).ok());
  }
  void join_with_records() {
    load_a();
    load_b();
    load_records(records_a, a, *state_a);
    load_records(records_b, b, *state_b);
    connect();
  }
  void restart_b() {
    clock.run(records_b->stop());
    stop(state_b);
    records_b.reset();
    load_b();
    load_records(records_b, b, *state_b);
    ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  }

  std::unique_ptr<NodeRecords> records_a, records_b;
};

TEST_F(NodeRecordsTest, ARecordIsReadBackAndKeepsItsNumberAfterARestart) {
  load_a();
  load_records(records_a, a, *state_a);
  EXPECT_FALSE(*clock.run(records_a->append("step", Json{{"n", 1}})));
  EXPECT_FALSE(*clock.run(records_a->append("audit", Json("x"))));
  clock.run(records_a->stop());
  load_records(records_a, a, *state_a);
  ASSERT_EQ(records_a->read("step").size(), 1u);
  EXPECT_EQ(records_a->read_own("step")[0].body["n"], 1);
  EXPECT_EQ(records_a->last_number(), 2u);
  EXPECT_FALSE(*clock.run(records_a->append("step", Json{{"n", 2}})));
  EXPECT_EQ(records_a->read_own("step")[1].number, 3u);
}

TEST_F(NodeRecordsTest, NoNumberIsGivenTwiceAlthoughTheRowOfTheLastOneIsOld) {
  load_a();
  load_records(records_a, a, *state_a);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(*clock.run(records_a->append("step", Json(i))));
  clock.run(records_a->stop());
  std::string& row = a.store.tables["record_meta"]["stream"];
  row = row.substr(0, row.find(' ')) + " 1";
  load_records(records_a, a, *state_a);
  EXPECT_FALSE(*clock.run(records_a->append("step", Json(2))));
  ASSERT_EQ(records_a->read_own("step").size(), 3u);
  EXPECT_EQ(records_a->last_number(), 3u);
}

TEST_F(NodeRecordsTest, TogetherARecordIsDurableAtThePeerBeforeAppendReturns) {
  join_with_records();
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().peer_in_group; }));
  EXPECT_TRUE(*clock.run(records_a->append("step", Json{{"n", 1}})));
  ASSERT_EQ(records_b->read("step").size(), 1u);
  EXPECT_EQ(records_b->read("step")[0].node, "A");
  EXPECT_TRUE(records_b->read_own("step").empty());
  restart_b();
  EXPECT_EQ(records_b->read("step").size(), 1u);
}

TEST_F(NodeRecordsTest, WhatWasWrittenApartIsShippedOnContact) {
  join_with_records();
  bus.set_cut(true);
  ASSERT_TRUE(clock.run_until([&] { return !state_a->link().peer_in_group && !state_b->link().peer_in_group; }));
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(*clock.run(records_a->append("step", Json(std::string(20'000, 'x')))));
  EXPECT_FALSE(*clock.run(records_b->append("step", Json("b"))));
  EXPECT_FALSE(records_a->shipped());
  bus.set_cut(false);
  ASSERT_TRUE(clock.run_until([&] { return records_a->shipped() && records_b->shipped(); }));
  EXPECT_EQ(records_b->read("step").size(), 51u);
  EXPECT_EQ(records_a->read("step"), records_b->read("step"));
}

TEST_F(NodeRecordsTest, APeerThatCannotStoreItIsNotCounted) {
  join_with_records();
  b.store.broken = true;
  EXPECT_FALSE(*clock.run(records_a->append("step", Json(1))));
  EXPECT_EQ(records_a->read("step").size(), 1u);
  b.store.broken = false;
  EXPECT_TRUE(*clock.run(records_a->append("step", Json(2))));
  EXPECT_EQ(records_b->read("step").size(), 2u);
}

TEST_F(NodeRecordsTest, ManyAtOnceArriveInOrderAndComplete) {
  join_with_records();
  a.store.delay = 3ms;
  std::vector<bool> there;
  for (int i = 0; i < 100; ++i) {
    boost::asio::co_spawn(loop, records_a->append("step", Json(i)), [&](std::exception_ptr, Result<bool> result) { there.push_back(*result); });
  }
  ASSERT_TRUE(clock.run_until([&] { return there.size() == 100; }));
  const auto list = records_b->read("step");
  ASSERT_EQ(list.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(list[static_cast<std::size_t>(i)].body, i);
}

TEST_F(NodeRecordsTest, ForgottenRecordsGoOnBothNodes) {
  join_with_records();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(*clock.run(records_a->append("step", Json(i))));
  ASSERT_TRUE(clock.run(records_a->forget({1, 2})).ok());
  EXPECT_EQ(records_a->read("step").size(), 1u);
  EXPECT_EQ(records_b->read("step").size(), 1u);
  ASSERT_TRUE(clock.run(records_a->forget({3})).ok());
  EXPECT_TRUE(records_a->read("step").empty());
  restart_b();
  EXPECT_TRUE(records_b->read("step").empty());
  // The first order was carried out and is gone itself.
  EXPECT_EQ(a.store.tables["node_record"].size(), 1u);
  EXPECT_TRUE(b.store.tables["node_record"].empty());
}

TEST_F(NodeRecordsTest, AFullDiskRefusesARecordThatMayNotUseTheReserve) {
  load_a();
  load_records(records_a, a, *state_a);
  a.store.full = true;
  EXPECT_EQ(clock.run(records_a->append("step", Json(1), false)).error().code(), ErrorCode::disk_full);
  EXPECT_TRUE(clock.run(records_a->append("step", Json(2))).ok());
  EXPECT_EQ(records_a->read("step").size(), 1u);
}

/// Whoever is in the group can say it: it ends no daemon, and what is said properly afterwards is heard.
TEST_F(NodeRecordsTest, WhatIsNoMessageAboutRecordsIsLeftOut) {
  join_with_records();
  const std::vector<Json> odd = {
      Json(), Json(7), Json("have"), Json::array({1}), Json::object(), {{"type", 5}, {"node", "A"}, {"stream", "s"}}, {{"type", "have"}, {"node", 5}, {"stream", "s"}},
      {{"type", "have"}, {"node", "A"}, {"stream", nullptr}, {"number", 1}}, {{"type", "have"}, {"node", "A"}, {"stream", "s"}, {"number", -1}},
      {{"type", "push"}, {"node", "B"}, {"stream", "s"}, {"after", "x"}}, {{"type", "push"}, {"node", "B"}, {"stream", "s"}, {"records", 1}},
      {{"type", "push"}, {"node", "B"}, {"stream", "s"}, {"through", 9}, {"records", {1}}}, {{"type", "push"}, {"node", "B"}, {"stream", "s"}, {"through", 9}, {"records", {{{"number", "x"}}}}},
      {{"type", "steal"}, {"node", "B"}, {"stream", "s"}},
  };
  for (const Json& body : odd) ASSERT_TRUE(clock.run(state_b->send_side("records", body)).ok()) << body;
  EXPECT_TRUE(*clock.run(records_a->append("step", Json(1))));
  EXPECT_TRUE(*clock.run(records_b->append("step", Json(2))));
  EXPECT_EQ(records_a->read("step").size(), 2u);
  EXPECT_EQ(records_b->read("step").size(), 2u);
}

TEST_F(NodeRecordsTest, ARowThatIsNoRecordIsRefusedAtTheStart) {
  load_a();
  a.store.tables["node_record"]["A/s/00000000000000000001"] = "[1]";
  records_a = std::make_unique<NodeRecords>(a.host, *state_a);
  EXPECT_EQ(clock.run(records_a->load()).error().code(), ErrorCode::store_corrupt);
}

}  // namespace
}  // namespace mcv::node_records_test
