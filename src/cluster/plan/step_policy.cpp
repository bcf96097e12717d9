// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/step_policy.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv {
namespace {

using std::chrono::milliseconds;

/// Calls of a step that answers with an error again and again, after the commit or while undoing.
constexpr std::size_t stubborn_limit = 5;
/// Calls of a step before the commit whose answer is lost each time.
constexpr std::size_t lost_answer_limit = 3;

milliseconds backoff(std::size_t count) { return milliseconds(std::min<std::size_t>(200u << std::min<std::size_t>(count - 1, 5), 5000)); }

/// The machine will answer differently by itself once something came back: wait for it, do not give up.
bool may_pass(const Error& error) {
  // The nodes meet again, or somebody decides: what is begun waits for that, and says so.
  if (error.code() == ErrorCode::no_authority) return true;
  return error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::outcome_unknown || error.kind() == ErrorKind::timed_out;
}

std::string describe(const PlannedStep& step) { return step.text.empty() ? fmt::format("{} on {}", step.action, step.node.str()) : fmt::format("{} (on {})", step.text, step.node.str()); }

JournalEntry stuck(const OperationState& state, std::size_t index, std::string_view doing, const Error& cause) {
  const PlannedStep& step = state.plan().steps[index];
  const std::string retry = fmt::format("hvctl op retry {}", state.plan().id.str());
  Error error = Error(ErrorCode::operation_stuck, fmt::format("{} '{}' failed: {}", doing, describe(step), cause.message()))
                    .with_safe(fmt::format("{} steps of {} are as `hvctl op show` lists them; no other step was touched", state.plan().steps.size(), state.plan().summary))
                    .with_next(cause.next().empty() ? retry : cause.next() + "; then " + retry);
  return JournalEntry::with_error(EntryKind::stuck, index, std::move(error));
}

/// After the commit and while undoing: wait for what may pass, insist a few times on the rest, then ask for a person.
Reaction insist(const OperationState& state, std::size_t index, const Attempt& attempt, std::string_view doing, const Error& error) {
  if (may_pass(error)) {
    const PlannedStep& step = state.plan().steps[index];
    return reaction::Again{backoff(attempt.count), true, fmt::format("waiting to {} '{}': {}", doing, describe(step), error.message())};
  }
  if (attempt.count < stubborn_limit) return reaction::Again{backoff(attempt.count), true, ""};
  return reaction::Write{stuck(state, index, doing, error)};
}

Error as_undone(Error error) {
  if (!error.safe().empty()) return error;
  return std::move(error).with_safe("everything done so far is undone");
}

}  // namespace

Reaction react_to_run(const OperationState& state, std::size_t step, const Attempt& attempt, const Result<Json>& answer) {
  if (answer.ok()) return reaction::Write{JournalEntry::done(step, *answer)};
  const Error& error = answer.error();
  const bool not_begun = error.code() == ErrorCode::peer_unreachable && attempt.fresh && !attempt.maybe_begun;
  if (state.plan().steps[step].commits) {
    if (not_begun) return reaction::Write{JournalEntry::failed(step, as_undone(error), false)};
    return reaction::Write{JournalEntry::with_error(EntryKind::unclear, step, as_undone(error))};
  }
  if (state.committed()) return insist(state, step, attempt, "finish", error);
  // Only the answer is lost: the step is repeated, because running twice is harmless and undoing costs the user the work.
  if (error.kind() == ErrorKind::outcome_unknown && attempt.count < lost_answer_limit && !state.cancel_requested()) {
    return reaction::Again{backoff(attempt.count), true, ""};
  }
  return reaction::Write{JournalEntry::failed(step, as_undone(error), !not_begun)};
}

Reaction react_to_settle(const OperationState& state, std::size_t step, const Attempt& attempt, const Result<Landed>& answer) {
  if (!answer.ok()) return insist(state, step, attempt, "learn the outcome of", answer.error());
  if (*answer != Landed::not_yet) return reaction::Write{JournalEntry::settled(step, *answer)};
  return reaction::Again{backoff(attempt.count), true, fmt::format("waiting for the outcome of '{}'", describe(state.plan().steps[step]))};
}

Reaction react_to_undo(const OperationState& state, std::size_t step, const Attempt& attempt, const Status& answer) {
  if (answer.ok()) return reaction::Write{JournalEntry::of(EntryKind::undone, step)};
  return insist(state, step, attempt, "undo", answer.error());
}

JournalEntry give_up(const OperationState& state, const Move& move) {
  std::size_t step = 0;
  if (const auto* run = std::get_if<move::Run>(&move)) step = run->step;
  if (const auto* settle = std::get_if<move::Settle>(&move)) step = settle->step;
  if (const auto* undo = std::get_if<move::Undo>(&move)) step = undo->step;
  return stuck(state, step, to_text(move), Error(ErrorCode::cancelled, "it was given up while it waited"));
}

}  // namespace mcv
