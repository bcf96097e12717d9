// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "cluster/plan/action.h"

namespace mcv {

/// One request to do, undo or look at a step: what the runner sends and LocalSteps answers, here or on the peer.
struct StepCall {
  OperationId operation;
  std::size_t step = 0;
  /// Grows with each call of one operation, over restarts of the coordinator too. LocalSteps refuses a call that was
  /// overtaken: a delayed "run" must not arrive after its "undo".
  std::uint64_t sequence = 0;
  std::string action;
  Json params = Json::object();
  Json results = Json::array();

  Json to_json() const;
  static Result<StepCall> from_json(const Json& json);
};

/// Does a step on the node it is about. The daemon implements it: here through LocalSteps, there over the peer link.
class StepDispatcher {
 public:
  virtual ~StepDispatcher() = default;
  /// `peer_unreachable`: the request never left, the step was not begun. `outcome_unknown`: it was sent and no answer
  /// came. Every other error is the action's own.
  virtual boost::asio::awaitable<Result<Json>> run(NodeName node, StepCall call, Progress progress) = 0;
  virtual boost::asio::awaitable<Status> undo(NodeName node, StepCall call) = 0;
  virtual boost::asio::awaitable<Result<Landed>> landed(NodeName node, StepCall call) = 0;
  /// Asks a running `run` of this step to end soon. Best effort: an answer is not waited for.
  virtual void interrupt(NodeName node, OperationId operation, std::size_t step) = 0;
};

}  // namespace mcv
