// SPDX-License-Identifier: Apache-2.0
// An operation is what its journal says. Start, resume after a crash and undo are one loop over two pure functions:
// apply(entry) and next_move().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/plan/action.h"
#include "cluster/plan/plan.h"

namespace mcv {

enum class EntryKind {
  accepted,          ///< the plan; always the first entry
  resumed,           ///< the daemon restarted: a step without an outcome may or may not have happened
  started,           ///< step: about to run
  done,              ///< step: ran, with `result`
  failed,            ///< step: did not, with `error`; `begun` = it may have left something behind
  unclear,           ///< committing step: `error` does not tell whether it happened
  settled,           ///< committing step: the world answered `landed` (yes or no)
  undone,            ///< step: nothing of it is left
  stuck,             ///< step: `error` again and again; an operator has to look
  cancel_requested,
  retry_requested,   ///< of a stuck operation
  superseded,        ///< of a stuck operation: a later one took its object, it cannot be retried any more
};
std::string_view to_text(EntryKind kind);

struct JournalEntry {
  EntryKind kind = EntryKind::accepted;
  std::size_t step = 0;
  std::optional<Plan> plan;
  std::int64_t wall_seconds = 0;  ///< accepted: for people
  Json result;
  std::optional<Error> error;
  bool begun = true;
  Landed landed = Landed::not_yet;
  std::string by;                 ///< superseded: the later operation

  static JournalEntry accepted(Plan plan, std::int64_t wall_seconds);
  static JournalEntry of(EntryKind kind, std::size_t step = 0);
  static JournalEntry done(std::size_t step, Json result);
  static JournalEntry failed(std::size_t step, Error error, bool begun);
  static JournalEntry with_error(EntryKind kind, std::size_t step, Error error);
  static JournalEntry settled(std::size_t step, Landed landed);

  Json to_json() const;
  static Result<JournalEntry> from_json(const Json& json);
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

enum class StepState { pending, running, unclear, done, failed, undone };
/// As the API shows it; an unclear step is "running".
std::string_view to_text(StepState state);

enum class Outcome {
  succeeded,
  undone,      ///< it failed, and nothing of it is left
  cancelled,   ///< as asked, and nothing of it is left
  failed,      ///< an operator has to look; `retry_requested` goes on where it stopped
};
std::string_view to_text(Outcome outcome);

namespace move {
struct Run { std::size_t step = 0; friend bool operator==(const Run&, const Run&) = default; };
struct Settle { std::size_t step = 0; friend bool operator==(const Settle&, const Settle&) = default; };
struct Undo { std::size_t step = 0; friend bool operator==(const Undo&, const Undo&) = default; };
struct Finished { Outcome outcome = Outcome::succeeded; friend bool operator==(const Finished&, const Finished&) = default; };
}  // namespace move
using Move = std::variant<move::Run, move::Settle, move::Undo, move::Finished>;
std::string to_text(const Move& move);

class OperationState {
 public:
  /// Unchanged when it returns an error: `store_corrupt` for a sequence that cannot have been written.
  Status apply(const JournalEntry& entry);
  /// Pure. Must not be asked before `accepted`.
  Move next_move() const;

  bool accepted() const { return !plan_.steps.empty(); }
  const Plan& plan() const { return plan_; }
  std::int64_t started_wall() const { return started_wall_; }
  StepState step(std::size_t index) const { return steps_[index]; }
  /// By step index; null where a step has none (yet).
  const Json& results() const { return results_; }
  /// What made it fail, or what it is stuck on. None for a cancelled or successful one.
  const std::optional<Error>& error() const { return stuck_ ? stuck_error_ : error_; }
  bool committed() const;
  bool cancel_requested() const { return cancel_; }
  bool undoing() const { return undoing_; }
  bool superseded() const { return superseded_; }
  std::size_t entries() const { return entries_; }
  bool finished() const { return std::holds_alternative<move::Finished>(next_move()); }
  /// How often the step was started: one that ends its daemon again and again is undone.
  std::size_t starts(std::size_t index) const { return starts_[index]; }

 private:
  Status check(const JournalEntry& entry) const;
  Status check_start(std::size_t index) const;
  void change(const JournalEntry& entry);
  void settle(const JournalEntry& entry);
  void resume();
  void fail(std::size_t index, bool begun, std::optional<Error> error);
  std::optional<std::size_t> last_begun() const;
  std::optional<std::size_t> commit_step() const;

  Plan plan_;
  std::int64_t started_wall_ = 0;
  std::vector<StepState> steps_;
  std::vector<std::size_t> starts_;
  Json results_ = Json::array();
  std::optional<Error> error_;
  std::optional<Error> stuck_error_;
  std::optional<Error> unclear_error_;  ///< what the committing step answered, kept for when it turns out not to have happened
  bool cancel_ = false;
  bool undoing_ = false;
  bool stuck_ = false;
  bool superseded_ = false;
  std::size_t entries_ = 0;
};

}  // namespace mcv
