// SPDX-License-Identifier: Apache-2.0
// A machine is shut down in order, through both daemons. What may happen in between is the simulation's (leave_schedule.cpp).
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::leave_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

/// vm1 runs on A.
class LeaveTest : public testing::Test {
 protected:
  LeaveTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(10s);
  }

  TwoNodes::Answer leave(std::size_t node) {
    nodes.machine(node).shutting_down = true;
    return nodes.ask(node, "POST", "/v1/node/leave", Json::object());
  }
  void shut_down(std::size_t node) {
    const TwoNodes::Answer answer = leave(node);
    ASSERT_TRUE(answer.ok());
    ASSERT_TRUE(answer.body.at("result").at("left").get<bool>()) << answer.body.dump();
    nodes.end_daemon(node);
    nodes.power_off(node);
    nodes.pass(10s);
  }
  std::string warnings(std::size_t node) { return nodes.ask(node, "GET", "/v1/info").body.at("warnings").dump(); }
  RunState state_of_vm1(std::size_t node) { return nodes.daemon(node).guests.facts(VmName::trusted("vm1")).state; }

  TwoNodes nodes;
};

TEST_F(LeaveTest, IsRefusedWhileTheMachineIsNotShutDown) {
  const TwoNodes::Answer answer = nodes.ask(a, "POST", "/v1/node/leave", Json::object());
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code(), ErrorCode::not_confirmed);
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/info").body.at("peer").at("left_since").is_null());
}

TEST_F(LeaveTest, TheOtherNodeGoesOnWithoutAHoldAndWithoutAWord) {
  shut_down(b);
  const Json info = nodes.ask(a, "GET", "/v1/info").body;
  EXPECT_TRUE(info.at("peer").at("left_since").is_number()) << info.dump();
  EXPECT_EQ(info.at("nodes").at(1).at("status"), "left");
  EXPECT_EQ(info.at("link"), "alone");
  EXPECT_NE(info.at("warnings").dump().find("B left in order, since"), std::string::npos) << info.dump();
  for (const sim::SimDrbd::Seen& seen : nodes.replication().look(a)) EXPECT_FALSE(seen.held);
  EXPECT_TRUE(nodes.ask(a, "PATCH", "/v1/vms/vm1", {{"autostart", true}}).ok());
}

TEST_F(LeaveTest, AVmOfTheLeaverIsStartedHere) {
  shut_down(a);
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(state_of_vm1(b), RunState::running);
  nodes.power_on(a);
  nodes.pass(60s);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("link"), "together");
  EXPECT_TRUE(nodes.ask(b, "GET", "/v1/info").body.at("nodes").at(0).at("left_since").is_null());
  EXPECT_EQ(warnings(a), "[]");
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
}

TEST_F(LeaveTest, TheLeaverAloneOpensNothingAndSaysWhatToDo) {
  shut_down(a);
  nodes.power_off(b);
  nodes.power_on(a);
  nodes.pass(30s);
  EXPECT_NE(warnings(a).find("A left in order at"), std::string::npos) << warnings(a);
  nodes.ask(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(60s);
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
  const TwoNodes::Answer confirmed =
      nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  ASSERT_TRUE(confirmed.error);
  EXPECT_EQ(confirmed.error->code(), ErrorCode::not_confirmed) << "B was let go on, so the second fact is not true";
  EXPECT_NE(warnings(a).find("only if B is lost for good: hvctl cluster confirm-down B"), std::string::npos) << warnings(a);
}

TEST_F(LeaveTest, TheLeaverWhosePartnerIsLostForGoodGoesOnDiskByDisk) {
  shut_down(a);
  nodes.power_off(b);
  nodes.power_on(a);
  nodes.pass(30s);
  const Json asked = nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"check_only", true}}).body;
  EXPECT_TRUE(asked.at("after_leave").get<bool>()) << asked.dump();
  EXPECT_TRUE(asked.at("left_at").is_number()) << asked.dump();
  EXPECT_TRUE(asked.at("covered").empty()) << asked.dump();
  const Json facts = {{"node", "B"}, {"is_powered_off", true}, {"was_let_go_on", true}};
  ASSERT_TRUE(nodes.ask(a, "POST", "/v1/cluster/confirm-down", facts).ok());
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("link"), "alone");
  EXPECT_NE(warnings(a).find("hvctl cluster accept-copy DISK"), std::string::npos) << warnings(a);
  const TwoNodes::Answer refused = nodes.ask(a, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(refused.error);
  EXPECT_NE(refused.error->next().find("hvctl cluster accept-copy vm1-0"), std::string::npos) << refused.error->next();
  nodes.must(a, "POST", "/v1/cluster/accept-copy", {{"volume", "vm1-0"}, {"may_be_older", true}});
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("link"), "single");
  EXPECT_EQ(state_of_vm1(a), RunState::running);
}

TEST_F(LeaveTest, RecordsOfALeaveGoWhenItIsOver) {
  for (int round = 0; round < 3; ++round) {
    shut_down(b);
    nodes.power_on(b);
    nodes.pass(90s);
    ASSERT_EQ(nodes.ask(b, "GET", "/v1/info").body.at("link"), "together");
  }
  EXPECT_TRUE(nodes.daemon(b).records.read(authority::leave_kind).empty());
  EXPECT_TRUE(nodes.daemon(b).records.read(authority::leave_ended_kind).empty());
  // One a generation, which says that it is known with what A went on, and the end of the newest.
  EXPECT_EQ(nodes.daemon(a).records.read(authority::alone_since_kind).size(), 3u);
  EXPECT_EQ(nodes.daemon(a).records.read(authority::alone_withdrawn_kind).size(), 1u);
  for (const std::size_t node : {a, b}) {
    const authority::Standpoint now = nodes.daemon(node).authority.standpoint();
    for (const GenerationRecord& record : now.generations) {
      EXPECT_TRUE(record.ref.counter <= 1 || now.ledger.names(NodeName::trusted(record.taken_by), record.ref)) << "known on both";
    }
    EXPECT_TRUE(now.ledger.standing(NodeName::trusted("A")).empty());
  }
}

TEST_F(LeaveTest, TheSecondOfTwoHasNobodyToTell) {
  shut_down(b);
  const TwoNodes::Answer answer = leave(a);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer.body.at("result").at("left").get<bool>());
  EXPECT_EQ(state_of_vm1(a), RunState::stopped);
  EXPECT_TRUE(nodes.replication().look(a).empty()) << "its legs are down";
}

}  // namespace
}  // namespace mcv::test::leave_test
