// SPDX-License-Identifier: Apache-2.0
// Each node was said to be down to the other one, falsely: two histories, and a person who chooses one. The decisions are in
// authority/settlement_test.cpp, chance in the simulator's kind state.
#include <gtest/gtest.h>

#include "two_nodes.h"

namespace mcv::test::diverged_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
const VmName vm1 = VmName::trusted("vm1");
const VmName vm2 = VmName::trusted("vm2");
const char* const again = "hvctl vm update vm2 --cpus 2";
const Json b_is_down = {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};
const Json a_is_down = {{"node", "A"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}};

class TwoHistories : public testing::Test {
 protected:
  TwoHistories() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.must(b, "POST", "/v1/vms", {{"name", "vm2"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array()}, {"storage_type", "local"}, {"networks", {"lan"}}, {"hypervisor", "qemu"}});
    nodes.pass(20s);
  }
  void part() {
    nodes.cut_cluster_link();
    nodes.replication().cut();
    nodes.pass(15s);
    nodes.must(a, "POST", "/v1/cluster/confirm-down", b_is_down);
    nodes.must(b, "POST", "/v1/cluster/confirm-down", a_is_down);
    nodes.must(a, "PATCH", "/v1/vms/vm1", {{"memory", std::uint64_t{256} << 20}});
    nodes.must(b, "PATCH", "/v1/vms/vm2", {{"cpus", 2}});
  }
  void meet() {
    nodes.replication().heal();
    nodes.heal_cluster_link();
    nodes.pass(30s);
  }
  LinkState link(std::size_t node) { return nodes.daemon(node).shared.link().state; }
  const ClusterState& state(std::size_t node) { return nodes.daemon(node).shared.current(); }
  Json shown(std::size_t node) { return nodes.ask(node, "GET", "/v1/cluster/diverged").body; }
  std::string text(std::size_t node, const std::string& target) { return nodes.ask(node, "GET", target).body.dump(); }
  bool has_as_change(std::size_t node) { return state(node).vm(vm1)->memory == Bytes::mib(256); }
  bool has_bs_change(std::size_t node) { return state(node).vm(vm2)->cpus == 2; }
  RunState guest(std::size_t node) { return nodes.daemon(node).guests.facts(vm1).state; }
  TwoNodes::Answer choose(std::size_t asked, const char* base) { return nodes.ask(asked, "POST", "/v1/cluster/diverged", {{"base", base}, {"the_other_is_given_up", true}}); }
  void expect_one_history() {
    nodes.pass(30s);
    for (const std::size_t node : TwoNodes::both) EXPECT_EQ(link(node), LinkState::together) << nodes.daemon(node).shared.link().reason;
    EXPECT_EQ(nodes.daemon(a).shared.position(), nodes.daemon(b).shared.position());
    EXPECT_EQ(state(a).hash(), state(b).hash());
  }

  TwoNodes nodes;
};

TEST_F(TwoHistories, AreShownOnBothNodesWithWhatEachSideChanged) {
  part();
  meet();
  for (const std::size_t node : TwoNodes::both) {
    ASSERT_EQ(link(node), LinkState::diverged);
    const Json answer = shown(node);
    EXPECT_TRUE(answer["diverged"].get<bool>());
    EXPECT_GT(answer["common"]["index"].get<std::uint64_t>(), 0u);
    ASSERT_EQ(answer["histories"].size(), 2u);
    const std::string own = node == a ? "A" : "B";
    const std::string other = node == a ? "B" : "A";
    EXPECT_EQ(answer["histories"][0]["node"], own);
    EXPECT_EQ(answer["histories"][0]["known"], "own");
    EXPECT_EQ(answer["histories"][1]["known"], "asked");
    EXPECT_EQ(answer["histories"][1]["generations"][0]["taken_by"], other);
    EXPECT_NE(answer["histories"][1]["generations"][0]["proof"].get<std::string>().find("confirm-down"), std::string::npos);
    EXPECT_TRUE(answer["histories"][1]["generations"][0]["since"].is_number()) << answer.dump(1);
    EXPECT_NE(answer["histories"][1]["changes"].dump().find(node == a ? "vm2" : "vm1"), std::string::npos) << answer.dump(1);
    EXPECT_NE(text(node, "/v1/info").find("hvctl cluster diverged"), std::string::npos);
    const auto refused = nodes.ask(node, "PATCH", node == a ? "/v1/vms/vm1" : "/v1/vms/vm2", {{"cpus", 3}});
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->code(), ErrorCode::diverged);
    EXPECT_NE(refused.error->next().find("hvctl cluster diverged"), std::string::npos);
  }
  // The other node does not answer: its generation as of the meeting, none of its changes.
  nodes.switch_off(b);
  nodes.pass(10s);
  const Json alone = shown(a);
  EXPECT_EQ(alone["histories"][1]["known"], "recorded");
  EXPECT_EQ(alone["histories"][1]["generations"][0]["taken_by"], "B");
  const auto refused = choose(a, "A");
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::peer_unreachable);
  EXPECT_EQ(choose(a, "B").error->code(), ErrorCode::peer_unreachable);
  EXPECT_EQ(link(a), LinkState::diverged);
}

TEST_F(TwoHistories, OneIsChosenAndWhatTheOtherHadIsKeptAsCommandsUntilDismissed) {
  part();
  meet();
  const auto unconfirmed = nodes.ask(a, "POST", "/v1/cluster/diverged", {{"base", "A"}});
  ASSERT_TRUE(unconfirmed.error);
  EXPECT_EQ(unconfirmed.error->code(), ErrorCode::not_confirmed);
  const auto plan = nodes.ask(a, "POST", "/v1/cluster/diverged?dry_run=true", {{"base", "A"}});
  ASSERT_TRUE(plan.ok()) << plan.error->to_text();
  EXPECT_NE(plan.body.dump().find(again), std::string::npos) << plan.body.dump(1);
  EXPECT_EQ(link(a), LinkState::diverged) << "only asked";
  const auto chosen = choose(a, "A");
  ASSERT_TRUE(chosen.ok()) << chosen.error->to_text();
  EXPECT_TRUE(chosen.body["result"]["adopted"].get<bool>());
  EXPECT_EQ(chosen.body["durability"], "both nodes");
  expect_one_history();
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_TRUE(has_as_change(node));
    EXPECT_FALSE(has_bs_change(node));
    const Json answer = shown(node);
    EXPECT_FALSE(answer["diverged"].get<bool>());
    ASSERT_EQ(answer["given_up"].size(), 1u);
    EXPECT_EQ(answer["given_up"][0]["to_repeat"][0]["command"], again);
    EXPECT_NE(answer["given_up"][0]["by"].get<std::string>().find("root on A"), std::string::npos);
    EXPECT_NE(text(node, "/v1/info").find("a history of B was given up"), std::string::npos);
  }
  // It outlives both daemons, and goes when somebody says so.
  for (const std::size_t node : TwoNodes::both) {
    nodes.end_daemon(node);
    nodes.start_daemon(node);
  }
  nodes.pass(30s);
  EXPECT_EQ(shown(b)["given_up"].size(), 1u);
  nodes.must(b, "PATCH", "/v1/vms/vm2", {{"cpus", 2}});
  nodes.must(b, "POST", "/v1/cluster/diverged/dismiss", Json::object());
  nodes.pass(5s);  // the answer came when it was durable on both; the other node shows it a moment later
  for (const std::size_t node : TwoNodes::both) EXPECT_TRUE(shown(node)["given_up"].empty());
  EXPECT_EQ(nodes.ask(a, "POST", "/v1/cluster/diverged/dismiss", Json::object()).error->code(), ErrorCode::not_found);
  // The disks were not touched: as nobody wrote, both copies are one again by themselves.
  nodes.pass(120s);
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(nodes.replication().look(node).at(0).connection, "Connected");
}

TEST_F(TwoHistories, AVmThatWasTakenOverStaysWhereItRunsWhicheverHistoryIsChosen) {
  part();
  nodes.must(b, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  ASSERT_EQ(guest(b), RunState::running);
  meet();
  // Typed on the node whose history is given up.
  const auto chosen = choose(b, "A");
  ASSERT_TRUE(chosen.ok()) << chosen.error->to_text();
  EXPECT_NE(chosen.body.dump().find("belongs to B, where it runs"), std::string::npos) << chosen.body.dump(1);
  EXPECT_NE(chosen.body["result"]["by"].get<std::string>().find("root on B"), std::string::npos);
  expect_one_history();
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_TRUE(has_as_change(node));
    EXPECT_FALSE(has_bs_change(node));
    EXPECT_EQ(state(node).vm(vm1)->owner.str(), "B");
    EXPECT_EQ(state(node).volume(VolumeName::trusted("vm1-0"))->last_primary, "B");
  }
  nodes.pass(120s);
  EXPECT_EQ(guest(b), RunState::running) << "no guest is ended";
  EXPECT_EQ(nodes.replication().look(a).at(0).disk, "UpToDate") << "the copy that was not written to follows";
  EXPECT_EQ(nodes.replication().look(a).at(0).connection, "Connected");
}

TEST_F(TwoHistories, AVmMadeAloneComesAlongWithItsDisk) {
  part();
  const Json boot = {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "console=ttyS0"}};
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  nodes.must(b, "POST", "/v1/vms",
             {{"name", "vm9"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "local"}, {"networks", {"lan"}}, {"boot", boot}, {"hypervisor", "qemu"}});
  nodes.must(b, "POST", "/v1/vms/vm9/start", Json::object());
  nodes.pass(5s);
  meet();
  ASSERT_TRUE(choose(a, "A").ok());
  expect_one_history();
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(state(node).vm(VmName::trusted("vm9"))->owner.str(), "B");
  }
  EXPECT_EQ(nodes.daemon(b).guests.facts(VmName::trusted("vm9")).state, RunState::running);
  nodes.must(a, "POST", "/v1/vms/vm9/stop", Json::object());
  nodes.must(a, "DELETE", "/v1/vms/vm9", Json());
}

TEST_F(TwoHistories, AChoiceOutlivesTheNodeThatWasToTakeIt) {
  part();
  meet();
  nodes.must(a, "POST", "/v1/cluster/diverged", {{"base", "A"}, {"check_only", true}});
  // B's power goes the moment A has written it down.
  api::ApiCall call;
  call.method = "POST";
  call.body = Json{{"base", "A"}, {"the_other_is_given_up", true}}.dump();
  bool ended = false;
  const auto until_chosen = [&] {
    if (!ended && link(a) != LinkState::diverged) {
      ended = true;
      nodes.switch_off(b);
    }
    return ended;
  };
  auto asked = nodes.begin(a, std::move(call), "/v1/cluster/diverged");
  nodes.run_events(until_chosen, 60s);
  ASSERT_TRUE(ended);
  nodes.pass(60s);
  EXPECT_FALSE(has_bs_change(a));
  nodes.switch_on(b);
  expect_one_history();
  EXPECT_TRUE(has_as_change(b));
  EXPECT_FALSE(has_bs_change(b));
  EXPECT_EQ(shown(b)["given_up"].size(), 1u);
}

TEST_F(TwoHistories, GoOnWithOneWhenTheOtherNodeIsLostForGood) {
  part();
  meet();
  EXPECT_EQ(nodes.ask(a, "POST", "/v1/cluster/confirm-down", b_is_down).error->code(), ErrorCode::diverged) << "B answers: a person chooses";
  nodes.switch_off(b);
  nodes.pass(10s);
  const auto refused = choose(a, "A");
  EXPECT_NE(refused.error->next().find("hvctl cluster confirm-down B"), std::string::npos) << refused.error->next();
  const auto asked = nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"check_only", true}});
  ASSERT_TRUE(asked.ok()) << asked.error->to_text();
  EXPECT_TRUE(asked.body["two_histories"].get<bool>());
  EXPECT_TRUE(asked.body["covered"].empty()) << "both went on alone with vm1-0: " << asked.body.dump(1);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", b_is_down);
  EXPECT_EQ(link(a), LinkState::alone);
  nodes.must(a, "PATCH", "/v1/vms/vm1", {{"cpus", 3}});
  EXPECT_NE(text(a, "/v1/info").find("two histories stood"), std::string::npos);
  // B may have written to it: opened by name, then it runs.
  const auto closed = nodes.ask(a, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(closed.error);
  EXPECT_EQ(closed.error->code(), ErrorCode::not_up_to_date);
  nodes.must(a, "POST", "/v1/cluster/accept-copy", {{"volume", "vm1-0"}, {"may_be_older", true}});
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  EXPECT_EQ(guest(a), RunState::running);
  // Nothing of B's was given up: it comes back after all, and both stand again.
  nodes.switch_on(b);
  nodes.pass(60s);
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(link(node), LinkState::diverged) << to_text(link(node));
  EXPECT_TRUE(has_bs_change(b));
  EXPECT_EQ(state(a).vm(vm1)->cpus, 3u);
  EXPECT_EQ(guest(a), RunState::running);
  const auto chosen = choose(a, "A");
  ASSERT_TRUE(chosen.ok()) << chosen.error->to_text();
  expect_one_history();
  EXPECT_EQ(state(b).vm(vm1)->cpus, 3u);
  EXPECT_EQ(guest(a), RunState::running);
}

TEST_F(TwoHistories, TheOneThatGoesOnCanRemoveTheLostNode) {
  part();
  meet();
  nodes.switch_off(b);
  nodes.pass(10s);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", b_is_down);
  nodes.must(a, "POST", "/v1/cluster/accept-copy", {{"volume", "vm1-0"}, {"may_be_older", true}});
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.must(a, "POST", "/v1/cluster/remove-node", {{"node", "B"}, {"dead", true}});
  nodes.pass(30s);
  EXPECT_EQ(link(a), LinkState::single) << to_text(link(a));
  EXPECT_EQ(guest(a), RunState::running);
  EXPECT_FALSE(shown(a)["diverged"].get<bool>());
}

TEST_F(TwoHistories, NothingIsChosenWhereThereIsOneHistory) {
  const auto refused = choose(a, "A");
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::bad_request);
  const Json answer = shown(a);
  EXPECT_FALSE(answer["diverged"].get<bool>());
  EXPECT_TRUE(answer["histories"].empty() && answer["given_up"].empty());
  EXPECT_EQ(nodes.ask(a, "POST", "/v1/cluster/diverged", {{"base", "C"}}).error->code(), ErrorCode::not_found);
}

TEST_F(TwoHistories, AListWhoseFormIsUnknownIsToldOfAsFarAsItCanBeRead) {
  ASSERT_TRUE(nodes.propose(a, {put_setting(state(a), "given-up-3", "no list"), Mutation{Kind::setting, "given-up-4", std::nullopt, Json{{"other", 7}}}}).ok());
  EXPECT_NE(text(a, "/v1/info").find("a history of the other node was given up"), std::string::npos);
  ASSERT_TRUE(nodes.up(a));
}

TEST_F(TwoHistories, WhatBecameOfAChangeIsAnsweredByItsId) {
  const auto proposed = nodes.wait_for(a, nodes.daemon(a).shared.propose({"change-1", "test", {put_setting(state(a), "k", "v")}}));
  ASSERT_TRUE(proposed && proposed->ok());
  // It is done here a moment before B has heard that it is.
  nodes.run_events([&] { return nodes.daemon(b).shared.current().setting("k").has_value(); }, 10s);
  const auto committed = nodes.ask(b, "GET", "/v1/change?id=change-1%403");
  ASSERT_TRUE(committed.ok()) << committed.error->to_text();
  EXPECT_EQ(committed.body["outcome"], "committed");
  EXPECT_EQ(committed.body["hash"], (*proposed)->hash);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/change?id=nobody").body["outcome"], "not-applied");
  EXPECT_TRUE(nodes.ask(a, "GET", "/v1/change").error);
  nodes.cut_cluster_link();
  nodes.pass(10s);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/change?id=nobody").body["outcome"], "undecided");
}

}  // namespace
}  // namespace mcv::test::diverged_test
