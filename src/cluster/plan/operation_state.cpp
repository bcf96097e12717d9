// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operation_state.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv {
namespace {

/// A step that was begun this often and ended its daemon each time is undone.
constexpr std::size_t starts_limit = 6;

Error ends_the_daemon() { return Error(ErrorCode::internal, "the daemon ended each time this step was begun"); }

}  // namespace

std::string_view to_text(StepState state) {
  switch (state) {
    case StepState::pending: return "pending";
    case StepState::running: return "running";
    case StepState::unclear: return "running";
    case StepState::done: return "done";
    case StepState::failed: return "failed";
    case StepState::undone: return "undone";
  }
  return "";
}

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::succeeded: return "succeeded";
    case Outcome::undone: return "undone";
    case Outcome::cancelled: return "cancelled";
    case Outcome::failed: return "failed";
  }
  return "";
}

std::string to_text(const Move& move) {
  if (const auto* run = std::get_if<move::Run>(&move)) return fmt::format("run {}", run->step);
  if (const auto* settle = std::get_if<move::Settle>(&move)) return fmt::format("settle {}", settle->step);
  if (const auto* undo = std::get_if<move::Undo>(&move)) return fmt::format("undo {}", undo->step);
  return fmt::format("finished: {}", to_text(std::get<move::Finished>(move).outcome));
}

std::optional<std::size_t> OperationState::commit_step() const {
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    if (plan_.steps[i].commits) return i;
  }
  return std::nullopt;
}

bool OperationState::committed() const {
  const auto commit = commit_step();
  return commit && steps_[*commit] == StepState::done;
}

/// The last step that may have left something behind. A step that never began stays `pending`.
std::optional<std::size_t> OperationState::last_begun() const {
  for (std::size_t i = steps_.size(); i > 0; --i) {
    const StepState state = steps_[i - 1];
    if (state != StepState::pending && state != StepState::undone) return i - 1;
  }
  return std::nullopt;
}

Move OperationState::next_move() const {
  if (stuck_) return move::Finished{Outcome::failed};
  if (undoing_) {
    if (const auto step = last_begun()) return move::Undo{*step};
    return move::Finished{error_ ? Outcome::undone : Outcome::cancelled};
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i] == StepState::unclear) return move::Settle{i};
    if (steps_[i] != StepState::done) return move::Run{i};
  }
  return move::Finished{Outcome::succeeded};
}

Status OperationState::check_start(std::size_t index) const {
  const Move next = next_move();
  if (next == Move(move::Run{index})) return success();
  return Error(ErrorCode::store_corrupt, fmt::format("step {} was started where '{}' was next", index, to_text(next)));
}

Status OperationState::check(const JournalEntry& entry) const {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::store_corrupt, fmt::format("journal of {}: '{}' of step {} is out of place: {}", plan_.id.str(), to_text(entry.kind), entry.step, why));
  };
  if (entry.kind == EntryKind::accepted) {
    if (accepted()) return refuse("there is a plan already");
    if (!entry.plan) return refuse("no plan");
    return entry.plan->check();
  }
  if (!accepted()) return refuse("no plan yet");
  if (entry.step >= steps_.size()) return refuse("no such step");
  if (stuck_ && entry.kind != EntryKind::retry_requested && entry.kind != EntryKind::superseded && entry.kind != EntryKind::resumed) return refuse("the operation is stuck");
  const StepState state = steps_[entry.step];
  const bool commits = plan_.steps[entry.step].commits;
  switch (entry.kind) {
    case EntryKind::accepted: return success();
    case EntryKind::resumed: return success();
    case EntryKind::started: return check_start(entry.step);
    case EntryKind::done:
      if (state != StepState::running) return refuse("it was not started");
      return success();
    case EntryKind::failed:
      if (state != StepState::running) return refuse("it was not started");
      if (committed()) return refuse("after the commit steps are retried");
      if (commits && entry.begun) return refuse("a committing step that began has to be settled");
      return success();
    case EntryKind::unclear:
      if (state != StepState::running || !commits) return refuse("only a started committing step can be unclear");
      return success();
    case EntryKind::settled:
      if (state != StepState::unclear || entry.landed == Landed::not_yet) return refuse("nothing was unclear");
      return success();
    case EntryKind::undone:
      if (!(next_move() == Move(move::Undo{entry.step}))) return refuse("it was not next");
      return success();
    case EntryKind::stuck:
      if (finished()) return refuse("the operation has ended");
      return success();
    case EntryKind::cancel_requested:
      if (finished() || committed() || undoing_ || cancel_) return refuse("it is too late");
      return success();
    case EntryKind::retry_requested:
      if (!stuck_ || superseded_) return refuse("nothing to retry");
      return success();
    case EntryKind::superseded:
      if (!stuck_) return refuse("only stuck operations are superseded");
      return success();
  }
  return refuse("unknown kind");
}

/// What a cancelled operation fails with is the cancellation itself, so `error` is dropped then.
void OperationState::fail(std::size_t index, bool begun, std::optional<Error> error) {
  steps_[index] = begun || starts_[index] > 1 ? StepState::failed : StepState::pending;
  if (!cancel_) error_ = std::move(error);
  undoing_ = true;
}

/// After a restart nobody knows what became of the step that was running. A committing one is settled; any other is run
/// again, or undone as if it had begun, because run and undo are idempotent.
void OperationState::resume() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i] != StepState::running) continue;
    ++starts_[i];
    if (plan_.steps[i].commits) steps_[i] = StepState::unclear;
    else if (!committed() && (cancel_ || starts_[i] >= starts_limit)) fail(i, true, ends_the_daemon());
  }
}

/// Where the step answered with an error and did not happen: undo. Without an answer (a crash) it is tried again.
void OperationState::settle(const JournalEntry& entry) {
  if (entry.landed == Landed::yes) steps_[entry.step] = StepState::done;
  else if (unclear_error_) fail(entry.step, true, unclear_error_);
  else if (cancel_ || starts_[entry.step] >= starts_limit) fail(entry.step, true, ends_the_daemon());
  else steps_[entry.step] = StepState::pending;
}

void OperationState::change(const JournalEntry& entry) {
  switch (entry.kind) {
    case EntryKind::accepted:
      plan_ = *entry.plan;
      started_wall_ = entry.wall_seconds;
      steps_.assign(plan_.steps.size(), StepState::pending);
      starts_.assign(plan_.steps.size(), 0);
      for (std::size_t i = 0; i < plan_.steps.size(); ++i) results_.push_back(nullptr);
      return;
    case EntryKind::resumed: resume(); return;
    case EntryKind::started:
      steps_[entry.step] = StepState::running;
      ++starts_[entry.step];
      return;
    case EntryKind::done:
      steps_[entry.step] = StepState::done;
      results_[entry.step] = entry.result;
      break;
    case EntryKind::failed: fail(entry.step, entry.begun, entry.error); return;
    case EntryKind::unclear:
      steps_[entry.step] = StepState::unclear;
      unclear_error_ = entry.error;
      return;
    case EntryKind::settled: settle(entry); break;
    case EntryKind::undone: steps_[entry.step] = StepState::undone; return;
    case EntryKind::stuck:
      stuck_ = true;
      stuck_error_ = entry.error;
      return;
    case EntryKind::cancel_requested: cancel_ = true; break;
    case EntryKind::retry_requested: stuck_ = false; return;
    case EntryKind::superseded: superseded_ = true; return;
  }
  // A cancel takes effect where no step is in flight; a step that was running when it came is waited for.
  const bool in_flight = std::any_of(steps_.begin(), steps_.end(), [](StepState state) { return state == StepState::running || state == StepState::unclear; });
  const bool all_done = std::all_of(steps_.begin(), steps_.end(), [](StepState state) { return state == StepState::done; });
  if (cancel_ && !in_flight && !all_done && !committed()) undoing_ = true;
}

Status OperationState::apply(const JournalEntry& entry) {
  MCV_CHECK(check(entry));
  change(entry);
  ++entries_;
  return success();
}

}  // namespace mcv
