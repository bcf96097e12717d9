// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "pair_fixture.h"

namespace mcv::shared_state_test {
namespace {

using namespace std::chrono_literals;
using test::record;
using test::set;

class SharedStateTest : public test::PairTest {};

TEST_F(SharedStateTest, AnEmptyStoreRefusesChangesUntilInitialised) {
  load_a();
  EXPECT_EQ(state_a->link().state, LinkState::uninitialised);
  EXPECT_EQ(clock.run(state_a->propose(set("k", "v"))).error().code(), ErrorCode::not_initialised);
  EXPECT_TRUE(clock.run(state_a->initialise()).ok());
  EXPECT_EQ(clock.run(state_a->initialise()).error().code(), ErrorCode::already_exists);
}

TEST_F(SharedStateTest, AClusterOfOneCommitsLocallyAndReadsItBack) {
  load_a();
  ASSERT_TRUE(clock.run(state_a->initialise()).ok());
  int commits = 0;
  state_a->on_commit([&] { ++commits; });
  const auto done = clock.run(state_a->propose(set("k", "v")));
  ASSERT_TRUE(done.ok());
  EXPECT_FALSE(done->on_both_nodes);
  EXPECT_EQ(done->index, 1u);
  EXPECT_EQ(commits, 1);
  const Position before = state_a->position();
  stop(state_a);
  load_a();
  EXPECT_EQ(state_a->current().setting("k"), "v");
  EXPECT_EQ(state_a->position(), before);
  EXPECT_EQ(state_a->link().state, LinkState::single);
}

TEST_F(SharedStateTest, TheSameChangeTwiceIsAppliedOnce) {
  load_a();
  ASSERT_TRUE(clock.run(state_a->initialise()).ok());
  Change change = set("k", "v");
  change.id = "c1";
  const auto first = clock.run(state_a->propose(change));
  const auto second = clock.run(state_a->propose(change));
  EXPECT_EQ(first->index, second->index);
  EXPECT_EQ(state_a->position().index, 1u);
  EXPECT_EQ(clock.run(state_a->outcome("c1"))->state, ChangeOutcome::committed);
  EXPECT_EQ(clock.run(state_a->outcome("c2"))->state, ChangeOutcome::not_applied);
}

TEST_F(SharedStateTest, AFullDiskRefusesCleanlyAndRecovers) {
  load_a();
  ASSERT_TRUE(clock.run(state_a->initialise()).ok());
  a.store.full = true;
  EXPECT_EQ(clock.run(state_a->propose(set("k", "v"))).error().code(), ErrorCode::disk_full);
  EXPECT_EQ(state_a->current().setting("k"), std::nullopt);
  a.store.full = false;
  EXPECT_TRUE(clock.run(state_a->propose(set("k", "v"))).ok());
}

TEST_F(SharedStateTest, AFailedFsyncStopsEverythingUntilARestart) {
  load_a();
  ASSERT_TRUE(clock.run(state_a->initialise()).ok());
  std::optional<Error> failure;
  state_a->on_failure([&](Error error) { failure = error; });
  a.store.broken = true;
  EXPECT_EQ(clock.run(state_a->propose(set("k", "v"))).error().code(), ErrorCode::outcome_unknown);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->next(), "systemctl restart mcvd");
  a.store.broken = false;
  EXPECT_EQ(clock.run(state_a->propose(set("k", "w"))).error().code(), ErrorCode::io_error);
  EXPECT_EQ(state_a->link().state, LinkState::failed);
}

TEST_F(SharedStateTest, TwoNodesCommitFromBothSidesAtOnce) {
  join();
  std::vector<Result<Committed>> results;
  for (int i = 0; i < 20; ++i) {
    for (auto* node : {&state_a, &state_b}) {
      boost::asio::co_spawn(loop, (*node)->propose(set("k" + std::to_string(i), node == &state_a ? "a" : "b")),
                            [&](std::exception_ptr, Result<Committed> result) { results.push_back(std::move(result)); });
    }
  }
  ASSERT_TRUE(clock.run_until([&] { return results.size() == 40; }));
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->on_both_nodes);
  }
  ASSERT_TRUE(clock.run_until([&] { return state_a->position() == state_b->position(); }));
  EXPECT_EQ(state_a->current().hash(), state_b->current().hash());
  EXPECT_EQ(state_a->position().index, 42u);
}

TEST_F(SharedStateTest, OneOfTwoChangesThatExcludeEachOtherIsRefusedOnBothSidesAlike) {
  join();
  std::map<std::string, Result<Committed>> results;
  const Mutation create{Kind::setting, "only", 0, Json("x")};
  for (auto* node : {&state_a, &state_b}) {
    const std::string name = node == &state_a ? "A" : "B";
    boost::asio::co_spawn(loop, (*node)->propose({"", "create", {create}}),
                          [&results, name](std::exception_ptr, Result<Committed> result) { results[name] = std::move(result); });
  }
  ASSERT_TRUE(clock.run_until([&] { return results.size() == 2; }));
  EXPECT_NE(results["A"].ok(), results["B"].ok());
  for (const auto& [name, result] : results) {
    if (!result.ok()) {
      EXPECT_EQ(result.error().code(), ErrorCode::already_exists);
    }
  }
}

TEST_F(SharedStateTest, AFullDiskOnThePeerRefusesOnBoth) {
  join();
  b.store.full = true;
  const auto refused = clock.run(state_a->propose(set("k", "v")));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::disk_full);
  EXPECT_EQ(refused.error().message(), "B: the disk is full");
  b.store.full = false;
  ASSERT_TRUE(clock.run(state_a->propose(set("k2", "v"))).ok());
  EXPECT_EQ(state_a->current().setting("k"), std::nullopt);
  EXPECT_EQ(state_a->position().index, 3u);
}

TEST_F(SharedStateTest, WithoutThePeerAChangeIsRefusedWithTheNextCommand) {
  join();
  bus.set_cut(true);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  const auto refused = clock.run(state_a->propose(set("k", "v")));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::no_authority);
  EXPECT_EQ(refused.error().next(), "on B: systemctl start corosync mcvd; only if B is powered off: hvctl cluster confirm-down B");
  bus.set_cut(false);
  ASSERT_TRUE(clock.run(state_a->wait_together(5000ms)));
  EXPECT_TRUE(clock.run(state_a->propose(set("k", "v"))).ok());
}

TEST_F(SharedStateTest, APeerThatNeverReportsEndsAsOutcomeUnknownAndCanBeAskedFor) {
  join();
  b.store.delay = 60s;
  const auto unknown = clock.run(state_a->propose(set("k", "v")));
  ASSERT_FALSE(unknown.ok());
  ASSERT_EQ(unknown.error().code(), ErrorCode::outcome_unknown);
  const std::string next = unknown.error().next();
  const std::string id = next.substr(next.rfind(' ') + 1);
  EXPECT_EQ(clock.run(state_a->outcome(id))->state, ChangeOutcome::undecided);
  b.store.delay = 0s;
  ASSERT_TRUE(clock.run_until([&] { return state_b->current().setting("k").has_value(); }, 120s));
  EXPECT_EQ(clock.run(state_a->outcome(id))->state, ChangeOutcome::committed);
  EXPECT_EQ(clock.run(state_b->outcome(id))->state, ChangeOutcome::committed);
}

TEST_F(SharedStateTest, AChangeCutOffInTheMiddleIsSettledAtTheReunionForTheWaitingCaller) {
  join();
  b.store.delay = 2s;
  std::optional<Result<Committed>> result;
  boost::asio::co_spawn(loop, state_a->propose(set("k", "v")), [&](std::exception_ptr, Result<Committed> value) { result = std::move(value); });
  ASSERT_FALSE(clock.run_until([&] { return result.has_value(); }, 1s));
  bus.set_cut(true);
  ASSERT_FALSE(clock.run_until([&] { return result.has_value(); }, 3s));
  bus.set_cut(false);
  b.store.delay = 0s;
  ASSERT_TRUE(clock.run_until([&] { return result.has_value(); }, 5s));
  EXPECT_TRUE(result->ok());
  EXPECT_EQ(state_b->current().setting("k"), "v");
}

TEST_F(SharedStateTest, ARestartedDaemonComesBackByItself) {
  join();
  stop(state_b);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  load_b();
  EXPECT_EQ(state_b->link().state, LinkState::apart);
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  ASSERT_TRUE(clock.run(state_b->wait_together(5000ms)));
  EXPECT_TRUE(clock.run(state_b->propose(set("k", "v"))).ok());
}

TEST_F(SharedStateTest, TheOlderSideTakesAThousandMissedChanges) {
  join();
  stop(state_b);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  EXPECT_EQ(state_a->link().state, LinkState::alone);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(clock.run(state_a->propose(set("k" + std::to_string(i), std::string(1000, 'x')))).ok());
  load_b();
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  ASSERT_TRUE(clock.run(state_b->wait_together(5000ms)));
  EXPECT_EQ(state_a->position(), state_b->position());
  EXPECT_EQ(state_a->current(), state_b->current());
  EXPECT_EQ(state_b->generations().size(), 2u);
  EXPECT_TRUE(clock.run(state_b->propose(set("k", "v")))->on_both_nodes);
}

TEST_F(SharedStateTest, AChangeThatStandsOnAuthorityIsRefusedByContact) {
  join();
  EXPECT_EQ(clock.run(state_a->propose_alone(set("k", "together"))).error().code(), ErrorCode::no_authority);
  bus.set_cut(true);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  EXPECT_EQ(clock.run(state_a->propose_alone(set("k", "apart"))).error().code(), ErrorCode::no_authority);
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  EXPECT_TRUE(clock.run(state_a->propose_alone(set("k", "alone"))).ok());
  EXPECT_EQ(state_a->current().setting("k"), "alone");
  bus.set_cut(false);
  // Asked while the nodes compare: a plain change waits for both, this one must not get there.
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state != LinkState::alone; }));
  EXPECT_EQ(clock.run(state_a->propose_alone(set("k", "late"))).error().code(), ErrorCode::no_authority);
  ASSERT_TRUE(clock.run(state_a->wait_together(5000ms)));
  ASSERT_TRUE(clock.run(state_b->wait_together(5000ms)));
  EXPECT_EQ(state_b->current().setting("k"), "alone");
}

TEST_F(SharedStateTest, AuthorityOnBothSidesKeepsBothHistoriesAndRefuses) {
  join();
  bus.set_cut(true);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart && state_b->link().state == LinkState::apart; }));
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  ASSERT_TRUE(clock.run(state_b->take_generation("confirm-down")).ok());
  ASSERT_TRUE(clock.run(state_a->propose(set("k", "a"))).ok());
  ASSERT_TRUE(clock.run(state_b->propose(set("k", "b"))).ok());
  bus.set_cut(false);
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::diverged && state_b->link().state == LinkState::diverged; }));
  EXPECT_EQ(clock.run(state_a->propose(set("k", "c"))).error().code(), ErrorCode::diverged);
  EXPECT_EQ(state_a->current().setting("k"), "a");
  EXPECT_EQ(state_b->current().setting("k"), "b");
  EXPECT_EQ(state_a->divergence()["peer"]["taken_by"], "B");
  EXPECT_NE(clock.run(state_b->propose(set("k", "c"))).error().next().find("hvctl cluster diverged"), std::string::npos);
}

TEST_F(SharedStateTest, RemovingANodeLeavesAClusterOfOneAndAPassiveNode) {
  join();
  ASSERT_TRUE(clock.run(state_a->propose({"", "remove B", {erase_at(state_a->current(), Kind::node, "B")}})).ok());
  EXPECT_EQ(state_a->link().state, LinkState::single);
  ASSERT_TRUE(clock.run_until([&] { return state_b->link().state == LinkState::removed; }));
  clock.run(state_a->stop_group());
  EXPECT_FALSE(clock.run(state_a->propose(set("k", "v")))->on_both_nodes);
  EXPECT_EQ(clock.run(state_b->propose(set("k", "v"))).error().code(), ErrorCode::no_authority);
}

TEST_F(SharedStateTest, ASideMessageReachesThePeer) {
  join();
  std::vector<std::string> seen;
  state_b->on_side("test", [&](host::NodeId sender, const Json& body) { seen.push_back(std::to_string(sender) + body.get<std::string>()); });
  ASSERT_TRUE(clock.run(state_a->send_side("test", Json("hello"))).ok());
  ASSERT_TRUE(clock.run_until([&] { return !seen.empty(); }));
  EXPECT_EQ(seen.front(), "1hello");
}

}  // namespace
}  // namespace mcv::shared_state_test
