// SPDX-License-Identifier: Apache-2.0
// Steps of this node run here, steps of the other node over the peer link.
#pragma once

#include <functional>

#include "cluster/core/task_group.h"
#include "cluster/plan/local_steps.h"
#include "cluster/plan/step_dispatcher.h"
#include "daemon/peer/peer_client.h"

namespace mcv {

class StepRouter final : public StepDispatcher {
 public:
  /// `find_node` gives the record of a member, or an error.
  StepRouter(NodeName self, LocalSteps& local, PeerClient& peer, std::function<Result<NodeRecord>(const NodeName&)> find_node, TaskGroup& tasks)
      : self_(std::move(self)), local_(local), peer_(peer), find_node_(std::move(find_node)), tasks_(tasks) {}

  boost::asio::awaitable<Result<Json>> run(NodeName node, StepCall call, Progress progress) override;
  boost::asio::awaitable<Status> undo(NodeName node, StepCall call) override;
  boost::asio::awaitable<Result<Landed>> landed(NodeName node, StepCall call) override;
  void interrupt(NodeName node, OperationId operation, std::size_t step) override;

 private:
  boost::asio::awaitable<Result<Json>> ask(NodeName node, std::string what, Json body);
  boost::asio::awaitable<void> interrupt_there(NodeName node, Json body);

  NodeName self_;
  LocalSteps& local_;
  PeerClient& peer_;
  std::function<Result<NodeRecord>(const NodeName&)> find_node_;
  TaskGroup& tasks_;
};

}  // namespace mcv
