// SPDX-License-Identifier: Apache-2.0
// A node is removed, dead or alive, through both daemons. What may happen in between is the simulation's (step_schedule.cpp).
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::removal_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;

/// vm1 runs on A.
class RemovalTest : public testing::Test {
 protected:
  RemovalTest() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
    nodes.pass(10s);
  }

  TwoNodes::Answer remove_b(bool dead) { return nodes.ask(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", dead}}); }
  void confirm_b_down() {
    const TwoNodes::Answer done = nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
    ASSERT_TRUE(done.ok()) << done.error->to_text();
  }
  Json info(std::size_t node) { return nodes.ask(node, "GET", "/v1/info").body; }
  Json copies(std::size_t node) { return nodes.ask(node, "GET", "/v1/quarantine").body.at("copies"); }
  RunState state_of_vm1(std::size_t node) { return nodes.daemon(node).guests.facts(VmName::trusted("vm1")).state; }

  TwoNodes nodes;
};

TEST_F(RemovalTest, ALivePeerGoesAndIsBlank) {
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}});
  nodes.pass(10s);
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(info(node).at("link"), "single") << node;
  EXPECT_EQ(info(b).at("vms").at("total"), 0);
  ASSERT_EQ(copies(b).size(), 1u);
  EXPECT_EQ(copies(b).at(0).at("volume"), "vm1-0");
  EXPECT_TRUE(copies(a).empty());
  EXPECT_TRUE(nodes.ask(a, "GET", "/v1/drbd").body.at("volumes").at(0).at("one_leg").get<bool>());
  EXPECT_NE(info(a).at("warnings").dump().find("has one leg"), std::string::npos) << info(a).dump();
  EXPECT_EQ(info(b).at("warnings").dump(), "[]");
  // A removed key is answered this and nothing else.
  host::HttpRequest request;
  request.method = "POST";
  request.target = "/peer/v1/facts";
  request.body = R"({"paths":[],"volume_groups":false})";
  const auto reply = nodes.peer_request(nodes.peer_network(b), a, request);
  ASSERT_TRUE(reply.ok());
  const auto* response = std::get_if<host::HttpResponse>(&*reply);
  ASSERT_NE(response, nullptr);
  EXPECT_FALSE(response->ok());
  EXPECT_NE(response->body.find("was removed from this cluster in generation 1"), std::string::npos) << response->body;
}

TEST_F(RemovalTest, IsRefusedWhereSomethingWouldBeLost) {
  EXPECT_EQ(nodes.ask(b, "POST", "/v1/cluster/remove-node", {{"node", "A"}}).error->code(), ErrorCode::guest_running);
  EXPECT_EQ(remove_b(true).error->code(), ErrorCode::peer_answers);
  nodes.switch_off(b);
  nodes.pass(30s);
  EXPECT_EQ(remove_b(false).error->code(), ErrorCode::peer_unreachable);
  EXPECT_EQ(remove_b(true).error->code(), ErrorCode::no_authority);
}

TEST_F(RemovalTest, ADeadPeerGoesAndHearsOfItWhenItIsSwitchedOn) {
  nodes.switch_off(b);
  nodes.pass(30s);
  confirm_b_down();
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  EXPECT_EQ(info(a).at("link"), "single");
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  for (const sim::SimDrbd::Seen& seen : nodes.replication().look(a)) EXPECT_FALSE(seen.held);
  nodes.switch_on(b);
  nodes.pass(120s);
  EXPECT_EQ(info(b).at("link"), "single") << info(b).dump();
  EXPECT_EQ(info(b).at("vms").at("total"), 0);
  ASSERT_EQ(copies(b).size(), 1u) << "nothing is discarded";
  EXPECT_TRUE(nodes.replication().look(b).empty());
  // And it may come again.
  nodes.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", nodes.invitation(b)}, {"check_only", false}});
  nodes.pass(60s);
  EXPECT_TRUE(nodes.daemon(a).drbd.volumes().at("vm1-0").redundant());
}

TEST_F(RemovalTest, ALeaverThatLostItsPowerBeforeItWasBlankListensOnceMore) {
  api::ApiCall call;
  call.method = "POST";
  call.body = Json({{"node", "B"}}).dump();
  const auto asked = nodes.begin(a, std::move(call), "/v1/cluster/remove-node");
  const auto is_removed = [&] { return !nodes.daemon(b).shared.current().node(NodeName::trusted("B")).ok(); };
  ASSERT_TRUE(nodes.run_events(is_removed, 60s));
  nodes.switch_off(b);
  nodes.pass(30s);
  nodes.switch_on(b);
  ASSERT_TRUE(nodes.run_events([&] { return nodes.up(b) && nodes.daemon(b).departure.is_passive(); }, 60s));
  EXPECT_TRUE(is_removed()) << "in its own log: it has no record of itself any more";
  // The node that stays may not have it committed yet, and asks.
  host::HttpRequest question;
  question.method = "POST";
  question.target = "/peer/v1/facts";
  question.body = R"({"paths":[],"volume_groups":false})";
  EXPECT_TRUE(nodes.peer_request(nodes.peer_network(a), b, question).ok());
  nodes.pass(120s);
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(info(node).at("link"), "single") << node;
  EXPECT_EQ(info(b).at("vms").at("total"), 0);
  EXPECT_EQ(state_of_vm1(a), RunState::running);
}

TEST_F(RemovalTest, WhoIsRemovedAndNotBlankYetTellsItToTheMemberThatGoesOnAlone) {
  const host::KeyFingerprint member = nodes.daemon(a).own_record()->fingerprint;
  nodes.switch_off(b);
  nodes.pass(30s);
  confirm_b_down();
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  nodes.switch_on(b);
  nodes.run_events([&] { return nodes.up(b) && nodes.daemon(b).departure.is_passive(); }, 120s);
  ASSERT_TRUE(nodes.daemon(b).departure.is_passive());
  EXPECT_FALSE(nodes.daemon(b).departure.membership_of(member).at("passive").is_null());
  const Json to_stranger = {{"removed", nullptr}, {"passive", nullptr}};
  EXPECT_EQ(nodes.daemon(b).departure.membership_of("a stranger's key"), to_stranger);
  EXPECT_EQ(nodes.daemon(a).departure.membership_of("a stranger's key"), to_stranger);
  EXPECT_EQ(nodes.daemon(a).departure.membership_of(nodes.daemon(b).host.peers.own_fingerprint()).at("removed").at("node").at("name"), "B");
}

TEST_F(RemovalTest, AReplacementIsCopiedToFromTheNodeThatStayed) {
  nodes.switch_off(b);
  nodes.pass(30s);
  confirm_b_down();
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  nodes.switch_on(b);
  nodes.reinstall(b);
  nodes.machine(b).lvm.volumes.clear();
  nodes.initialise(b);
  nodes.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", nodes.invitation(b)}, {"check_only", false}});
  nodes.pass(60s);
  EXPECT_TRUE(nodes.daemon(a).drbd.volumes().at("vm1-0").redundant());
  EXPECT_EQ(state_of_vm1(a), RunState::running);
  nodes.must(a, "POST", "/v1/verify", {{"all", true}});
  nodes.pass(5s);
  EXPECT_EQ(nodes.daemon(b).shared.current().volume(VolumeName::trusted("vm1-0"))->verdict.kind, VerdictKind::clean);
  // Its word is asked for again, as of any pair.
  nodes.switch_off(b);
  nodes.pass(30s);
  confirm_b_down();
  EXPECT_EQ(state_of_vm1(a), RunState::running);
}

}  // namespace
}  // namespace mcv::test::removal_test
