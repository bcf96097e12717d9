// SPDX-License-Identifier: Apache-2.0
// Pure: what to do about a step's answer. Table-tested; the runner only executes it.
#pragma once

#include <chrono>
#include <variant>

#include "cluster/plan/operation_state.h"

namespace mcv {

/// What the runner knows about the step in hand beyond the journal.
struct Attempt {
  std::size_t count = 1;         ///< this answer is of the count-th call since the daemon (re)started the step
  bool fresh = true;             ///< false when the step may have been begun before this daemon started
  bool maybe_begun = false;      ///< an earlier call of these ended without a clear answer
};

namespace reaction {
struct Write { JournalEntry entry; };
/// Call again after `delay`. `waiting` says for what, for people; it ends only with success, another error or the operator.
struct Again { std::chrono::milliseconds delay{0}; bool maybe_begun = false; std::string waiting; };
}  // namespace reaction
using Reaction = std::variant<reaction::Write, reaction::Again>;

Reaction react_to_run(const OperationState& state, std::size_t step, const Attempt& attempt, const Result<Json>& answer);
Reaction react_to_settle(const OperationState& state, std::size_t step, const Attempt& attempt, const Result<Landed>& answer);
Reaction react_to_undo(const OperationState& state, std::size_t step, const Attempt& attempt, const Status& answer);

/// What "give up" writes while a step is being waited for.
JournalEntry give_up(const OperationState& state, const Move& move);

}  // namespace mcv
