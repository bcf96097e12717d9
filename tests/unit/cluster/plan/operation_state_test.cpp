// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operation_state.h"

#include <gtest/gtest.h>

#include "cluster/plan/operation_view.h"
#include "world/plan_sim.h"

namespace mcv {
namespace {

Error refused() { return Error(ErrorCode::command_failed, "no"); }

OperationState state_after(std::vector<JournalEntry> entries, std::optional<std::size_t> commit = 1) {
  OperationState state;
  Plan plan = sim::PlanSim::plan("vm/vm1", 3, commit);
  plan.id = OperationId::trusted("A-1");
  EXPECT_TRUE(state.apply(JournalEntry::accepted(plan, 7)).ok());
  for (const JournalEntry& entry : entries) {
    const Status fits = state.apply(entry);
    EXPECT_TRUE(fits.ok()) << fits.error().message();
  }
  return state;
}

std::string next_after(std::vector<JournalEntry> entries, std::optional<std::size_t> commit = 1) {
  return to_text(state_after(std::move(entries), commit).next_move());
}

JournalEntry started(std::size_t step) { return JournalEntry::of(EntryKind::started, step); }
JournalEntry done(std::size_t step) { return JournalEntry::done(step, nullptr); }
JournalEntry undone(std::size_t step) { return JournalEntry::of(EntryKind::undone, step); }
JournalEntry resumed() { return JournalEntry::of(EntryKind::resumed); }
JournalEntry cancelled() { return JournalEntry::of(EntryKind::cancel_requested); }
JournalEntry unclear() { return JournalEntry::with_error(EntryKind::unclear, 1, refused()); }

TEST(OperationState, RunsTheStepsInOrder) {
  EXPECT_EQ(next_after({}), "run 0");
  EXPECT_EQ(next_after({started(0)}), "run 0");
  EXPECT_EQ(next_after({started(0), done(0)}), "run 1");
  EXPECT_EQ(next_after({started(0), done(0), started(1), done(1), started(2), done(2)}), "finished: succeeded");
}

TEST(OperationState, BeforeTheCommitAFailureUndoesBackwards) {
  const std::vector<JournalEntry> failed = {started(0), done(0), started(1), done(1), started(2), JournalEntry::failed(2, refused(), true)};
  EXPECT_EQ(next_after(failed, std::nullopt), "undo 2");
  std::vector<JournalEntry> rest = failed;
  rest.insert(rest.end(), {undone(2), undone(1)});
  EXPECT_EQ(next_after(rest, std::nullopt), "undo 0");
  rest.push_back(undone(0));
  EXPECT_EQ(next_after(rest, std::nullopt), "finished: undone");
}

TEST(OperationState, AStepThatNeverBeganIsNotUndone) {
  EXPECT_EQ(next_after({started(0), done(0), started(1), JournalEntry::failed(1, refused(), false)}), "undo 0");
  EXPECT_EQ(next_after({started(0), JournalEntry::failed(0, refused(), false)}), "finished: undone");
}

TEST(OperationState, AnUnclearCommitIsSettled) {
  const std::vector<JournalEntry> begun = {started(0), done(0), started(1)};
  std::vector<JournalEntry> entries = begun;
  entries.push_back(unclear());
  EXPECT_EQ(next_after(entries), "settle 1");
  entries.push_back(JournalEntry::settled(1, Landed::yes));
  EXPECT_EQ(next_after(entries), "run 2");
  entries = begun;
  entries.insert(entries.end(), {unclear(), JournalEntry::settled(1, Landed::no)});
  EXPECT_EQ(next_after(entries), "undo 1");
}

TEST(OperationState, AfterARestartTheCommitIsSettledAndOtherStepsRunAgain) {
  EXPECT_EQ(next_after({started(0), resumed()}), "run 0");
  EXPECT_EQ(next_after({started(0), done(0), started(1), resumed()}), "settle 1");
  EXPECT_EQ(next_after({started(0), done(0), started(1), resumed(), JournalEntry::settled(1, Landed::no)}), "run 1");
}

TEST(OperationState, AStepThatEndsItsDaemonEachTimeIsUndone) {
  std::vector<JournalEntry> entries = {started(0)};
  for (int i = 0; i < 5; ++i) entries.push_back(resumed());
  EXPECT_EQ(next_after(entries), "undo 0");
}

TEST(OperationState, ACancelUndoesBeforeTheCommitAndIsRefusedAfterIt) {
  EXPECT_EQ(next_after({cancelled()}), "finished: cancelled");
  EXPECT_EQ(next_after({started(0), cancelled()}), "run 0");  // waits for the step that runs
  EXPECT_EQ(next_after({started(0), cancelled(), done(0)}), "undo 0");
  EXPECT_EQ(next_after({started(0), cancelled(), resumed()}), "undo 0");
  EXPECT_EQ(next_after({started(0), done(0), started(1), cancelled(), done(1)}), "run 2");  // too late: it committed
  EXPECT_EQ(next_after({started(0), cancelled(), done(0), undone(0)}), "finished: cancelled");
}

TEST(OperationState, RejectsSequencesThatCannotHaveBeenWritten) {
  struct Case { const char* name; std::vector<JournalEntry> before; JournalEntry entry; };
  const std::vector<JournalEntry> committed = {started(0), done(0), started(1), done(1)};
  const std::vector<Case> cases = {
      {"done without start", {}, done(0)},
      {"start out of order", {}, started(1)},
      {"no such step", {}, started(9)},
      {"undo while going forward", {started(0), done(0)}, undone(0)},
      {"undo out of order", {started(0), done(0), started(1), JournalEntry::failed(1, refused(), false)}, undone(1)},
      {"begun commit fails without being settled", {started(0), done(0), started(1)}, JournalEntry::failed(1, refused(), true)},
      {"settled without doubt", {started(0), done(0), started(1)}, JournalEntry::settled(1, Landed::yes)},
      {"settled as not yet", {started(0), done(0), started(1), unclear()}, JournalEntry::settled(1, Landed::not_yet)},
      {"failure after the commit", [&] { auto e = committed; e.push_back(started(2)); return e; }(), JournalEntry::failed(2, refused(), true)},
      {"cancel after the commit", committed, cancelled()},
      {"second cancel", {started(0), cancelled()}, cancelled()},
      {"retry of a healthy one", {}, JournalEntry::of(EntryKind::retry_requested)},
      {"second plan", {}, JournalEntry::accepted(sim::PlanSim::plan("x", 1, std::nullopt), 0)},
  };
  for (const Case& item : cases) {
    OperationState state = state_after(item.before);
    const std::size_t entries = state.entries();
    EXPECT_EQ(state.apply(item.entry).error().code(), ErrorCode::store_corrupt) << item.name;
    EXPECT_EQ(state.entries(), entries) << item.name;
  }
  EXPECT_FALSE(OperationState().apply(started(0)).ok());
}

TEST(OperationState, AStuckOneGoesOnWhereItStoppedWhenRetried) {
  const JournalEntry stuck = JournalEntry::with_error(EntryKind::stuck, 2, refused());
  std::vector<JournalEntry> entries = {started(0), done(0), started(1), done(1), started(2), stuck};
  EXPECT_EQ(next_after(entries), "finished: failed");
  EXPECT_EQ(state_after(entries).error(), refused());
  entries.push_back(JournalEntry::of(EntryKind::retry_requested));
  EXPECT_EQ(next_after(entries), "run 2");
  EXPECT_FALSE(state_after(entries).error().has_value());
}

TEST(OperationState, ASupersededOneCannotBeRetried) {
  OperationState state = state_after({started(0), JournalEntry::failed(0, refused(), true), JournalEntry::with_error(EntryKind::stuck, 0, refused()),
                                      JournalEntry::of(EntryKind::superseded)});
  EXPECT_FALSE(state.apply(JournalEntry::of(EntryKind::retry_requested)).ok());
  const OperationView view = view_of(state);
  EXPECT_EQ(view.outcome, OperationOutcome::failed);
  EXPECT_FALSE(view.may_go_on()) << "nothing is left to it";
  EXPECT_EQ(view.error->next(), "nothing has to be done with it: a later operation took its object");
}

TEST(OperationState, AFailedOneMayGoOnAndOneThatEndedMayNot) {
  EXPECT_TRUE(view_of(state_after({started(0)})).may_go_on());
  EXPECT_TRUE(view_of(state_after({started(0), JournalEntry::failed(0, refused(), true), JournalEntry::with_error(EntryKind::stuck, 0, refused())})).may_go_on()) << "when a person says so";
  EXPECT_FALSE(view_of(state_after({started(0), done(0), started(1), done(1), started(2), done(2)})).may_go_on());
}

}  // namespace
}  // namespace mcv
