// SPDX-License-Identifier: Apache-2.0
// One effect on one node, the unit of every plan. An action states its effect, its undo, and how it knows.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/result.h"

namespace mcv {

/// What people see while a step runs: percent 0..100 where it is known, and a short sentence.
using Progress = std::function<void(std::optional<int> percent, std::string text)>;

/// What a step may know. A value: it stays valid for as long as the action runs.
struct StepContext {
  OperationId operation;
  std::size_t step = 0;
  Json params;
  Json results = Json::array();         ///< by step index; null where a step has none (yet)
  Progress progress;                    ///< never empty when the action is called
  std::function<bool()> interrupted;    ///< never empty; true once the operation was cancelled: end soon, with `cancelled`

  /// The result of an earlier step, null when there is none.
  const Json& result_of(std::size_t earlier) const;
};

enum class Landed { yes, no, not_yet };
std::string_view to_text(Landed landed);
Result<Landed> landed_from_text(std::string_view text);

/// `run` and `undo` are idempotent: they are called again after a crash or a lost answer, and `undo` also for a `run`
/// that failed, half happened or never began. Neither needs memory of its own: they look at the machine.
/// Called from the loop's thread; never twice at once for one step of one operation (LocalSteps sees to it).
class Action {
 public:
  virtual ~Action() = default;
  /// Makes the effect true. The result is kept in the journal and given to later steps; null when there is none.
  virtual boost::asio::awaitable<Result<Json>> run(StepContext context) = 0;
  /// Success when nothing of the effect is left.
  virtual boost::asio::awaitable<Status> undo(StepContext context) = 0;
  /// Asks the world, changes nothing (except ending what can no longer succeed): did `run` take effect? Only asked for
  /// the committing step, when its outcome is unclear. `not_yet` is asked again.
  virtual boost::asio::awaitable<Result<Landed>> landed(StepContext context) = 0;
};

}  // namespace mcv
