// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/step_policy.h"

#include <gtest/gtest.h>

#include "world/plan_sim.h"

namespace mcv {
namespace {

OperationState at(std::size_t step, bool committed) {
  OperationState state;
  Plan plan = sim::PlanSim::plan("vm/vm1", 4, 1);
  plan.id = OperationId::trusted("A-1");
  EXPECT_TRUE(state.apply(JournalEntry::accepted(plan, 0)).ok());
  for (std::size_t i = 0; i <= step; ++i) {
    EXPECT_TRUE(state.apply(JournalEntry::of(EntryKind::started, i)).ok());
    if (i == step) break;
    EXPECT_TRUE(state.apply(JournalEntry::done(i, nullptr)).ok());
  }
  EXPECT_EQ(state.committed(), committed);
  return state;
}

std::string shown(const Reaction& reaction) {
  if (const auto* write = std::get_if<reaction::Write>(&reaction)) {
    return std::string(to_text(write->entry.kind)) + (write->entry.begun ? "" : " not begun");
  }
  return std::get<reaction::Again>(reaction).waiting.empty() ? "again" : "wait";
}

Attempt attempt(std::size_t count, bool fresh = true, bool maybe_begun = false) {
  Attempt value;
  value.count = count;
  value.fresh = fresh;
  value.maybe_begun = maybe_begun;
  return value;
}

TEST(StepPolicy, DecidesWhatAnAnswerToRunMeans) {
  struct Case { ErrorCode code; std::size_t step; Attempt attempt; const char* wanted; };
  const std::vector<Case> cases = {
      {ErrorCode::command_failed, 0, attempt(1), "failed"},
      {ErrorCode::peer_unreachable, 0, attempt(1), "failed not begun"},
      {ErrorCode::peer_unreachable, 0, attempt(1, false), "failed"},
      {ErrorCode::peer_unreachable, 0, attempt(2, true, true), "failed"},
      {ErrorCode::outcome_unknown, 0, attempt(1), "again"},
      {ErrorCode::outcome_unknown, 0, attempt(3), "failed"},
      // the committing step
      {ErrorCode::peer_unreachable, 1, attempt(1), "failed not begun"},
      {ErrorCode::peer_unreachable, 1, attempt(1, false), "unclear"},
      {ErrorCode::command_failed, 1, attempt(1), "unclear"},
      {ErrorCode::outcome_unknown, 1, attempt(1), "unclear"},
      // after it
      {ErrorCode::peer_unreachable, 2, attempt(99), "wait"},
      {ErrorCode::outcome_unknown, 2, attempt(99), "wait"},
      {ErrorCode::no_authority, 2, attempt(99), "wait"},
      {ErrorCode::command_failed, 2, attempt(4), "again"},
      {ErrorCode::command_failed, 2, attempt(5), "stuck"},
  };
  for (const Case& item : cases) {
    const OperationState state = at(item.step, item.step > 1);
    EXPECT_EQ(shown(react_to_run(state, item.step, item.attempt, Error(item.code, "x"))), item.wanted) << to_text(item.code) << " at step " << item.step;
  }
}

TEST(StepPolicy, AsksAgainUntilTheWorldKnows) {
  OperationState state = at(1, false);
  ASSERT_TRUE(state.apply(JournalEntry::with_error(EntryKind::unclear, 1, Error(ErrorCode::outcome_unknown, "x"))).ok());
  EXPECT_EQ(shown(react_to_settle(state, 1, attempt(50), Landed::not_yet)), "wait");
  EXPECT_EQ(shown(react_to_settle(state, 1, attempt(50), Error(ErrorCode::peer_unreachable, "x"))), "wait");
  EXPECT_EQ(shown(react_to_settle(state, 1, attempt(5), Error(ErrorCode::bad_output, "x"))), "stuck");
  EXPECT_EQ(shown(react_to_settle(state, 1, attempt(1), Landed::no)), "settled");
}

TEST(StepPolicy, AnUndoThatFailsAgainAndAgainAsksForAPerson) {
  const OperationState state = at(0, false);
  EXPECT_EQ(shown(react_to_undo(state, 0, attempt(1), success())), "undone");
  EXPECT_EQ(shown(react_to_undo(state, 0, attempt(4), Error(ErrorCode::device_busy, "x"))), "again");
  EXPECT_EQ(shown(react_to_undo(state, 0, attempt(99), Error(ErrorCode::no_authority, "apart"))), "wait");
  const Reaction last = react_to_undo(state, 0, attempt(5), Error(ErrorCode::device_busy, "held by fio"));
  ASSERT_EQ(shown(last), "stuck");
  const Error& error = *std::get<reaction::Write>(last).entry.error;
  EXPECT_EQ(error.code(), ErrorCode::operation_stuck);
  EXPECT_NE(error.message().find("held by fio"), std::string::npos);
  EXPECT_EQ(error.next(), "hvctl op retry A-1");
}

}  // namespace
}  // namespace mcv
