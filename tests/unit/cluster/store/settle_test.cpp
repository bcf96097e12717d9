// SPDX-License-Identifier: Apache-2.0
// Two histories, and a person who chooses one.
#include <gtest/gtest.h>

#include "cluster/store/divergence.h"
#include "cluster/store/reunion.h"
#include "pair_fixture.h"

namespace mcv::test::settle_test {
namespace {

Settled choice(SharedState& other) {
  Settled settled;
  settled.other = other.position();
  settled.proof = "chosen: a test";
  settled.change = {"choice-" + other.position().hash, "choose", {{Kind::setting, "given-up-3", std::nullopt, Json{{"other", "history"}}}}};
  return settled;
}

/// Both took a generation, each changed "k" and something of its own, and they met.
class SettleTest : public PairTest {
 protected:
  void SetUp() override {
    join();
    ASSERT_TRUE(clock.run(state_a->propose(set("common", "c"))).ok());
    common = state_a->position().index;
    bus.set_cut(true);
    ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart && state_b->link().state == LinkState::apart; }));
    ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
    ASSERT_TRUE(clock.run(state_b->take_generation("confirm-down")).ok());
    Change only_a = set("only-a", "a");
    only_a.id = "change-a";
    Change only_b = set("only-b", "b");
    only_b.id = "change-b";
    ASSERT_TRUE(clock.run(state_a->propose(only_a)).ok());
    ASSERT_TRUE(clock.run(state_b->propose(only_b)).ok());
    ASSERT_TRUE(clock.run(state_b->propose(set("k", "b"))).ok());
    meet();
  }
  void meet() {
    bus.set_cut(false);
    ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::diverged && state_b->link().state == LinkState::diverged; }));
  }
  void expect_one_history(const char* winner) {
    ASSERT_TRUE(clock.run(state_a->wait_together(20'000ms))) << state_a->link().reason;
    ASSERT_TRUE(clock.run(state_b->wait_together(20'000ms))) << state_b->link().reason;
    EXPECT_EQ(state_a->position(), state_b->position());
    EXPECT_EQ(state_a->current().hash(), state_b->current().hash());
    for (SharedState* state : {state_a.get(), state_b.get()}) {
      EXPECT_EQ(state->current().setting("common"), "c");
      EXPECT_EQ(state->current().setting("only-a").has_value(), std::string(winner) == "A");
      EXPECT_EQ(state->current().setting("only-b").has_value(), std::string(winner) == "B");
      EXPECT_TRUE(state->divergence().is_null());
      EXPECT_EQ(state->generations().back().taken_by, winner);
      EXPECT_EQ(clock.run(state->outcome("change-a@0"))->state, std::string(winner) == "A" ? ChangeOutcome::committed : ChangeOutcome::not_applied);
      EXPECT_EQ(clock.run(state->outcome("change-b@0"))->state, std::string(winner) == "B" ? ChangeOutcome::committed : ChangeOutcome::not_applied);
    }
    EXPECT_TRUE(clock.run(state_b->propose(set("after", "x")))->on_both_nodes);
  }
  std::uint64_t common = 0;
};

TEST_F(SettleTest, TheChosenHistoryIsTheClustersAndTheOtherOneAnswersNotApplied) {
  const auto chosen = clock.run(state_a->settle(choice(*state_b)));
  ASSERT_TRUE(chosen.ok()) << chosen.error().message();
  EXPECT_EQ(chosen->generation.counter, 3u);
  expect_one_history("A");
  EXPECT_NE(state_b->current().find(Kind::setting, "given-up-3"), nullptr) << "the list is on both nodes";
}

TEST_F(SettleTest, EitherNodeCanBeTheBase) {
  ASSERT_TRUE(clock.run(state_b->settle(choice(*state_a))).ok());
  expect_one_history("B");
}

TEST_F(SettleTest, EachSideTellsWhatItChangedSinceTheLastCommonEntry) {
  const auto found = last_common_entry(full_standing_of(state_a->image()), full_standing_of(state_b->image()));
  EXPECT_EQ(found.first, common);
  EXPECT_EQ(state_a->divergence()["common"]["index"], common);
  const History b_told = history_above(state_b->image(), common);
  ASSERT_EQ(b_told.entries.size(), 3u);
  EXPECT_EQ(b_told.entries[0].summary, "generation 2 is taken by B: confirm-down");
  EXPECT_EQ(b_told.entries[1].summary, "set only-b");
  EXPECT_EQ(b_told.entries[1].objects, (std::vector<TouchedObject>{{Kind::setting, "only-b", "changed"}}));
  EXPECT_TRUE(b_told.is_complete);
  ASSERT_EQ(b_told.generations.size(), 1u);
  EXPECT_EQ(b_told.generations[0].taken_by, "B");
  EXPECT_EQ(b_told.end, state_b->position());
  const auto read = History::from_json(b_told.to_json());
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->entries, b_told.entries);
  EXPECT_EQ(read->generations, b_told.generations);
  EXPECT_EQ(read->state, b_told.state);
}

TEST_F(SettleTest, ChosenOnBothAtOnceGivesUpNothing) {
  const Settled for_a = choice(*state_b);
  const Settled for_b = choice(*state_a);
  bus.set_cut(true);
  ASSERT_TRUE(clock.run(state_a->settle(for_a)).ok());
  ASSERT_TRUE(clock.run(state_b->settle(for_b)).ok());
  meet();
  EXPECT_TRUE(state_a->current().setting("only-a") && !state_a->current().setting("only-b"));
  EXPECT_TRUE(state_b->current().setting("only-b") && !state_b->current().setting("only-a"));
  ASSERT_TRUE(clock.run(state_b->settle(choice(*state_a))).ok());
  expect_one_history("B");
}

TEST_F(SettleTest, TheChoiceSurvivesTheDaemonThatMadeIt) {
  bus.set_cut(true);
  ASSERT_TRUE(clock.run(state_a->settle(choice(*state_b))).ok());
  stop(state_a);
  load_a();
  ASSERT_TRUE(clock.run(state_a->start_group()).ok());
  bus.set_cut(false);
  expect_one_history("A");
}

TEST_F(SettleTest, TheOtherNodeMayComeMuchLater) {
  stop(state_b);
  Settled settled = choice(*state_a);
  load_b();
  settled.other = state_b->position();
  ASSERT_TRUE(clock.run(state_a->settle(settled)).ok());
  // A goes on, by another typed word, before the two ever meet.
  ASSERT_TRUE(clock.run_until([&] { return state_a->link().state == LinkState::apart; }));
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  ASSERT_TRUE(clock.run(state_a->propose(set("later", "x"))).ok());
  EXPECT_EQ(state_b->link().state, LinkState::diverged) << "it knows of two histories also while it is alone";
  ASSERT_TRUE(clock.run(state_b->start_group()).ok());
  ASSERT_TRUE(clock.run(state_a->wait_together(20'000ms)));
  ASSERT_TRUE(clock.run(state_b->wait_together(20'000ms)));
  EXPECT_EQ(state_b->current().setting("later"), "x");
  EXPECT_FALSE(state_b->current().setting("only-b"));
}

TEST_F(SettleTest, WhenTheOtherNodeIsLostOneHistoryGoesOnAndTheOtherIsNotGivenUp) {
  EXPECT_EQ(clock.run(state_a->take_generation("confirm-down")).error().code(), ErrorCode::diverged) << "it is there: a person chooses";
  const Position other = state_b->position();
  bus.set_cut(true);
  ASSERT_TRUE(clock.run_until([&] { return !state_a->link().peer_in_group && !state_b->link().peer_in_group; }));
  std::function<bool(const ClusterState&)> holds = [](const ClusterState&) { return true; };
  EXPECT_EQ(clock.run(state_a->take_generation_while(holds, "left")).error().code(), ErrorCode::diverged) << "what both agreed to says nothing now";
  ASSERT_TRUE(clock.run(state_a->take_generation("confirm-down")).ok());
  EXPECT_EQ(state_a->link().state, LinkState::alone);
  EXPECT_EQ(state_a->generations().back().apart_from, other);
  ASSERT_TRUE(clock.run(state_a->propose(set("later", "x"))).ok());
  stop(state_a);
  load_a();
  EXPECT_EQ(state_a->link().state, LinkState::alone) << "durable";
  EXPECT_EQ(state_a->generations().back().apart_from, other);
  // It was not lost.
  ASSERT_TRUE(clock.run(state_a->start_group()).ok());
  meet();
  EXPECT_EQ(state_a->current().setting("later"), "x");
  EXPECT_TRUE(state_b->current().setting("only-b") && !state_b->current().setting("later"));
  ASSERT_TRUE(clock.run(state_a->settle(choice(*state_b))).ok());
  expect_one_history("A");
  EXPECT_EQ(state_b->current().setting("later"), "x");
}

TEST_F(SettleTest, AChoiceThatCannotBeWrittenChangesNothing) {
  Settled settled = choice(*state_b);
  settled.change.mutations.push_back({Kind::vm, "vm1", std::nullopt, std::nullopt, Json{{"owner", "B"}}});
  EXPECT_FALSE(clock.run(state_a->settle(settled)).ok());
  EXPECT_EQ(state_a->link().state, LinkState::diverged);
  ASSERT_TRUE(clock.run(state_a->settle(choice(*state_b))).ok());
  expect_one_history("A");
  EXPECT_EQ(clock.run(state_a->settle(choice(*state_b))).error().code(), ErrorCode::bad_request) << "one history: nothing to choose";
}

Standing standing(std::vector<GenerationRecord> generations, std::map<std::uint64_t, std::string> hashes) {
  Standing standing;
  standing.generations = std::move(generations);
  standing.committed = standing.last = hashes.rbegin()->first;
  standing.hashes = std::move(hashes);
  return standing;
}

GenerationRecord taken(std::uint64_t counter, const char* by, std::uint64_t base, std::optional<Position> settles = std::nullopt) {
  GenerationRecord record;
  record.ref = {counter, std::string(by) + std::to_string(counter)};
  record.taken_by = by;
  record.proof = "test";
  record.base_index = base;
  record.base_hash = base == 0 ? "" : "h" + std::to_string(base);
  record.settles = std::move(settles);
  return record;
}

TEST(SettleReunion, OnlyWhoStandsAtTheNamedEndTakesTheChosenHistory) {
  const GenerationRecord first = taken(1, "A", 0);
  const Position b_end{{2, "B2"}, 7, "b7"};
  const Standing a = standing({first, taken(2, "A", 5), taken(3, "A", 8, b_end)}, {{5, "h5"}, {8, "a8"}, {10, "a10"}});
  const struct {
    const char* what;
    Standing other;
    ReunionStep from_a, from_other;
  } cases[] = {
      {"the end that was named", standing({first, taken(2, "B", 5)}, {{5, "h5"}, {7, "b7"}}), ReunionStep::send_state, ReunionStep::take_state},
      {"it went on from there", standing({first, taken(2, "B", 5)}, {{5, "h5"}, {7, "b7"}, {8, "b8"}}), ReunionStep::diverged, ReunionStep::diverged},
      {"it had not come so far", standing({first, taken(2, "B", 5)}, {{5, "h5"}, {6, "b6"}}), ReunionStep::diverged, ReunionStep::diverged},
      {"another history of that index", standing({first, taken(2, "B", 5)}, {{5, "h5"}, {7, "x7"}}), ReunionStep::diverged, ReunionStep::diverged},
      {"it took another generation since", standing({first, taken(2, "B", 5), taken(3, "B", 7)}, {{5, "h5"}, {7, "b7"}, {8, "b8"}}), ReunionStep::diverged, ReunionStep::diverged},
      {"it chose its own at the same time", standing({first, taken(2, "B", 5), taken(3, "B", 7, Position{{2, "A2"}, 8, "a8"})}, {{5, "h5"}, {7, "b7"}, {9, "b9"}}), ReunionStep::diverged,
       ReunionStep::diverged},
      {"it has the chosen one already", a, ReunionStep::converge, ReunionStep::converge},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.what);
    EXPECT_EQ(reunite(a, test.other).step, test.from_a);
    EXPECT_EQ(reunite(test.other, a).step, test.from_other);
  }
}

TEST(SettleReunion, TwoHistoriesOfOneGenerationAreSettledAlike) {
  const GenerationRecord first = taken(1, "A", 0);
  const Position restored{{1, "A1"}, 6, "x6"};
  const Standing a = standing({first, taken(2, "A", 7, restored)}, {{5, "h5"}, {7, "a7"}, {9, "a9"}});
  const Standing b = standing({first}, {{5, "h5"}, {6, "x6"}});
  EXPECT_EQ(reunite(a, b).step, ReunionStep::send_state);
  EXPECT_EQ(reunite(b, a).step, ReunionStep::take_state);
  EXPECT_EQ(last_common_entry(a, b), (std::pair<std::uint64_t, std::string>{5, "h5"}));
}

}  // namespace
}  // namespace mcv::test::settle_test
