// SPDX-License-Identifier: Apache-2.0
// The receiving side of a step, on the node it is about: for this node's own operations and for the peer's.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/core/task_group.h"
#include "cluster/plan/action_table.h"
#include "cluster/plan/step_dispatcher.h"

namespace mcv {

/// Runs actions so that calls of one operation never overlap or overtake each other, whatever the network does to them:
///  - a step runs in a task of its own: a caller that goes away does not stop it in the middle;
///  - a second `run` or an `undo` first waits for the `run` that is in flight (an undo interrupts it);
///  - `landed` answers not_yet while it is in flight;
///  - a call with a lower sequence than one already seen is refused with `busy`.
class LocalSteps {
 public:
  LocalSteps(boost::asio::any_io_executor executor, const ActionTable& table);
  ~LocalSteps();

  boost::asio::awaitable<Result<Json>> run(StepCall call, Progress progress);
  boost::asio::awaitable<Status> undo(StepCall call);
  boost::asio::awaitable<Result<Landed>> landed(StepCall call);
  void interrupt(const OperationId& operation, std::size_t step);
  /// What a running step last reported, for a peer that polls; nothing when it is not running.
  std::optional<std::pair<std::optional<int>, std::string>> progress_of(const OperationId& operation, std::size_t step) const;
  /// Ends the tasks. Steps that were running are resumed by their coordinator.
  boost::asio::awaitable<void> stop();

 private:
  struct Work;
  struct Operation;
  Status admit(const StepCall& call);
  Status still_latest(const StepCall& call) const;
  std::shared_ptr<Work> begin(const StepCall& call);
  boost::asio::awaitable<void> wait_idle(OperationId operation);
  StepContext context_of(const StepCall& call, std::shared_ptr<Work> work, Progress progress);
  boost::asio::awaitable<void> run_action(std::shared_ptr<Work> work, StepContext context, Action* action);
  boost::asio::awaitable<void> undo_action(std::shared_ptr<Work> work, StepContext context, Action* action);
  void finish(const std::shared_ptr<Work>& work);

  boost::asio::any_io_executor executor_;
  const ActionTable& table_;
  std::map<OperationId, Operation> operations_;
  std::deque<OperationId> recent_;
  TaskGroup tasks_;
};

}  // namespace mcv
