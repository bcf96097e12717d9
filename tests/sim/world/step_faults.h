// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "cluster/host/host.h"
#include "cluster/plan/action.h"

namespace mcv::sim {

/// What becomes of one step of one operation, whatever the step does.
struct StepFaults {
  enum class Kind {
    none,
    runs_twice,        ///< and must be able to
    fails_at_once,     ///< without its effect, again and again
    fails_afterwards,  ///< with its effect, again and again
    undone_twice,      ///< fails with its effect, and every undo of the operation is called twice
    undo_fails,        ///< the step fails, and so does its undo, again and again
    answer_is_lost,    ///< it ran, and twice nobody hears of it
    hangs,             ///< it has its effect, and returns long after everybody's patience
  };
  static constexpr std::array kinds = {Kind::runs_twice, Kind::fails_at_once, Kind::fails_afterwards, Kind::undone_twice, Kind::undo_fails, Kind::answer_is_lost, Kind::hangs};

  /// A plan is being made and the step not chosen yet: steps wait.
  bool choosing = false;
  Kind kind = Kind::none;
  std::string operation;
  std::size_t step = 0;
  std::size_t losses = 0;
  std::size_t met = 0;                        ///< how often the fault happened
  std::function<void(std::string)> defect;    ///< what ran once and cannot be repeated

  void choose(Kind what, std::string of, std::size_t which) {
    kind = what;
    operation = std::move(of);
    step = which;
    losses = 2;
    met = 0;
  }
  bool meets(const StepContext& context) const { return kind != Kind::none && context.operation.str() == operation && context.step == step; }
};

const char* to_text(StepFaults::Kind kind);

std::unique_ptr<Action> with_faults(host::Host& host, StepFaults& faults, std::string name, std::unique_ptr<Action> action);

}  // namespace mcv::sim
