// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/plan_runner.h"

#include <chrono>
#include <utility>

#include "cluster/plan/step_policy.h"

namespace mcv {
namespace {

namespace asio = boost::asio;
using Record = std::shared_ptr<OperationRecord>;

constexpr std::chrono::seconds full_disk_pause{5};

StepCall call_of(OperationRecord& record, std::size_t step) {
  const PlannedStep& planned = record.state().plan().steps[step];
  StepCall call;
  call.operation = record.id();
  call.step = step;
  call.sequence = record.next_sequence();
  call.action = planned.action;
  call.params = planned.params;
  call.results = record.state().results();
  return call;
}

NodeName node_of(const OperationRecord& record, std::size_t step) { return record.state().plan().steps[step].node; }

/// Durable, or the process must end: only a full disk is waited for (the store keeps a reserve for running operations).
asio::awaitable<Result<std::size_t>> write(Record record, host::Clock& clock, std::vector<JournalEntry> entries) {
  for (;;) {
    std::vector<JournalEntry> copy = entries;
    Result<std::size_t> written = co_await record->append(std::move(copy));
    if (written.ok() || written.error().code() != ErrorCode::disk_full) co_return written;
    record->report(std::nullopt, "waiting: " + written.error().message());
    co_await clock.sleep_for(full_disk_pause);
  }
}

/// `entry`, and the start of the step that follows it: one fsync for both.
std::vector<JournalEntry> with_next_start(const OperationState& state, JournalEntry entry) {
  std::vector<JournalEntry> entries = {std::move(entry)};
  OperationState after = state;
  if (!after.apply(entries.front()).ok()) return entries;
  const Move next = after.next_move();
  if (const auto* run = std::get_if<move::Run>(&next)) entries.push_back(JournalEntry::of(EntryKind::started, run->step));
  return entries;
}

/// Carries out a reaction. True when the step in hand is decided and the next move is to be looked at.
asio::awaitable<Result<bool>> follow(Record record, host::Clock& clock, Attempt& attempt, Reaction reaction) {
  if (auto* write_it = std::get_if<reaction::Write>(&reaction)) {
    record->waiting = false;
    std::vector<JournalEntry> entries = with_next_start(record->state(), std::move(write_it->entry));
    MCV_CO_TRY([[maybe_unused]] const std::size_t count, co_await write(record, clock, std::move(entries)));
    record->report(std::nullopt, "");
    co_return true;
  }
  const auto& again = std::get<reaction::Again>(reaction);
  attempt.maybe_begun = attempt.maybe_begun || again.maybe_begun;
  ++attempt.count;
  record->waiting = true;
  if (!again.waiting.empty()) record->report(std::nullopt, again.waiting);
  const auto delay = again.delay;
  co_await clock.sleep_for(delay);
  if (record->give_up_wanted) {
    record->give_up_wanted = false;
    record->waiting = false;
    std::vector<JournalEntry> entries;
    entries.push_back(give_up(record->state(), record->state().next_move()));
    MCV_CO_TRY([[maybe_unused]] const std::size_t count, co_await write(record, clock, std::move(entries)));
    co_return true;
  }
  co_return false;
}

/// A cancel that came between two calls of a step ends the repeating: the step counts as begun.
bool stop_repeating(const OperationState& state, std::size_t step) { return state.cancel_requested() && !state.committed() && !state.plan().steps[step].commits; }

asio::awaitable<Status> run_step(Record record, StepDispatcher& steps, host::Clock& clock, std::size_t step, Attempt attempt) {
  const NodeName node = node_of(*record, step);
  const Progress progress = [weak = std::weak_ptr<OperationRecord>(record), step](std::optional<int> percent, std::string text) {
    const auto alive = weak.lock();
    if (alive && alive->state().step(step) == StepState::running) alive->report(percent, std::move(text));
  };
  for (;;) {
    StepCall call = call_of(*record, step);
    Result<Json> answer = co_await steps.run(node, std::move(call), progress);
    Reaction reaction = react_to_run(record->state(), step, attempt, answer);
    if (std::holds_alternative<reaction::Again>(reaction) && stop_repeating(record->state(), step)) {
      reaction = reaction::Write{JournalEntry::failed(step, answer.error(), true)};
    }
    MCV_CO_TRY(const bool decided, co_await follow(record, clock, attempt, std::move(reaction)));
    if (decided) co_return success();
  }
}

asio::awaitable<Status> settle_step(Record record, StepDispatcher& steps, host::Clock& clock, std::size_t step) {
  const NodeName node = node_of(*record, step);
  Attempt attempt;
  for (;;) {
    StepCall call = call_of(*record, step);
    const Result<Landed> answer = co_await steps.landed(node, std::move(call));
    Reaction reaction = react_to_settle(record->state(), step, attempt, answer);
    MCV_CO_TRY(const bool decided, co_await follow(record, clock, attempt, std::move(reaction)));
    if (decided) co_return success();
  }
}

asio::awaitable<Status> undo_step(Record record, StepDispatcher& steps, host::Clock& clock, std::size_t step) {
  const NodeName node = node_of(*record, step);
  Attempt attempt;
  for (;;) {
    StepCall call = call_of(*record, step);
    const Status answer = co_await steps.undo(node, std::move(call));
    Reaction reaction = react_to_undo(record->state(), step, attempt, answer);
    MCV_CO_TRY(const bool decided, co_await follow(record, clock, attempt, std::move(reaction)));
    if (decided) co_return success();
  }
}

}  // namespace

asio::awaitable<Status> run_operation(Record record, StepDispatcher& steps, host::Clock& clock) {
  // The step whose start this process wrote: of any other that is running nothing is known.
  std::vector<bool> fresh(record->state().plan().steps.size(), false);
  for (std::size_t i = 0; i < fresh.size(); ++i) fresh[i] = record->state().step(i) == StepState::pending && record->state().starts(i) == 0;
  for (;;) {
    const Move next = record->state().next_move();
    if (std::holds_alternative<move::Finished>(next)) co_return success();
    if (const auto* settle = std::get_if<move::Settle>(&next)) {
      MCV_CO_CHECK(co_await settle_step(record, steps, clock, settle->step));
    } else if (const auto* undo = std::get_if<move::Undo>(&next)) {
      MCV_CO_CHECK(co_await undo_step(record, steps, clock, undo->step));
    } else {
      const std::size_t step = std::get<move::Run>(next).step;
      if (record->state().step(step) == StepState::pending) {
        std::vector<JournalEntry> entries = {JournalEntry::of(EntryKind::started, step)};
        MCV_CO_TRY(const std::size_t count, co_await write(record, clock, std::move(entries)));
        if (count == 0) continue;
      }
      Attempt attempt;
      attempt.fresh = fresh[step];
      fresh[step] = false;
      MCV_CO_CHECK(co_await run_step(record, steps, clock, step, attempt));
    }
  }
}

}  // namespace mcv
