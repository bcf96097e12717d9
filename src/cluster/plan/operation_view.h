// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/plan/operation_state.h"

namespace mcv {

struct StepView {
  std::string action;
  NodeName node;
  StepState state = StepState::pending;
  std::string text;
};

/// An operation as people see it: the body of GET /v1/operations/{id} and each line of its event stream.
struct OperationView {
  OperationId id;
  std::string kind;
  std::string object;
  std::string summary;
  std::string asked_by;
  std::optional<OperationOutcome> outcome;  ///< nullopt while it runs
  std::int64_t started_wall = 0;
  std::vector<StepView> steps;
  std::optional<int> percent;      ///< of the step that runs now
  std::string progress;            ///< what it does or waits for now
  Json result;                     ///< of the last step that had one
  std::optional<Error> error;
  std::uint64_t version = 0;       ///< of this process: grows with each change

  bool superseded = false;         ///< failed, and a later operation took its objects: nobody goes on with it any more

  bool final() const { return outcome.has_value(); }
  /// What it made may still be finished or undone by it.
  bool may_go_on() const { return !final() || (outcome == OperationOutcome::failed && !superseded); }
  Json to_json() const;
};

OperationView view_of(const OperationState& state);

}  // namespace mcv
