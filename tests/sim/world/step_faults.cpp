// SPDX-License-Identifier: Apache-2.0
#include "world/step_faults.h"

#include <chrono>
#include <fmt/format.h>

namespace mcv::sim {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using Kind = StepFaults::Kind;

/// Above the patience of a request to the other node, and of all its repetitions.
constexpr auto long_after = 15min;

class FaultyAction final : public Action {
 public:
  FaultyAction(host::Host& host, StepFaults& faults, std::string name, std::unique_ptr<Action> action)
      : host_(host), faults_(faults), name_(std::move(name)), action_(std::move(action)) {}

  asio::awaitable<Result<Json>> run(StepContext context) override {
    while (faults_.choosing) co_await host_.clock.sleep_for(1ms);
    if (!faults_.meets(context)) co_return co_await action_->run(std::move(context));
    ++faults_.met;
    const Kind kind = faults_.kind;
    if (kind == Kind::fails_at_once || kind == Kind::undo_fails) co_return injected();
    StepContext again = context;
    auto first = co_await action_->run(std::move(context));
    if (!first.ok()) co_return first;
    if (kind == Kind::fails_afterwards || kind == Kind::undone_twice) co_return injected();
    if (kind == Kind::answer_is_lost && faults_.losses > 0) {
      --faults_.losses;
      co_return Error(ErrorCode::outcome_unknown, "the answer was lost");
    }
    if (kind == Kind::hangs && faults_.met == 1) co_await host_.clock.sleep_for(long_after);
    if (kind != Kind::runs_twice) co_return first;
    auto second = co_await action_->run(std::move(again));
    if (!second.ok()) tell("repeated", second.error());
    co_return second;
  }

  asio::awaitable<Status> undo(StepContext context) override {
    const bool is_meant = faults_.meets(context);
    if (is_meant && faults_.kind == Kind::undo_fails) co_return injected();
    const bool twice = faults_.kind == Kind::undone_twice && context.operation.str() == faults_.operation;
    StepContext again = context;
    auto first = co_await action_->undo(std::move(context));
    if (!first.ok() || !twice) co_return first;
    auto second = co_await action_->undo(std::move(again));
    if (!second.ok()) tell("undone again", second.error());
    co_return second;
  }

  asio::awaitable<Result<Landed>> landed(StepContext context) override { return action_->landed(std::move(context)); }

 private:
  static Error injected() { return Error(ErrorCode::command_failed, "injected"); }
  void tell(const char* what, const Error& error) const {
    if (faults_.defect) faults_.defect(fmt::format("I6: {}, {}, fails: {}", name_, what, error.message()));
  }

  host::Host& host_;
  StepFaults& faults_;
  std::string name_;
  std::unique_ptr<Action> action_;
};

}  // namespace

const char* to_text(Kind kind) {
  switch (kind) {
    case Kind::none: return "none";
    case Kind::runs_twice: return "runs twice";
    case Kind::fails_at_once: return "fails at once";
    case Kind::fails_afterwards: return "fails afterwards";
    case Kind::undone_twice: return "fails, undone twice";
    case Kind::undo_fails: return "undo fails";
    case Kind::answer_is_lost: return "answer is lost";
    case Kind::hangs: return "hangs";
  }
  return "";
}

std::unique_ptr<Action> with_faults(host::Host& host, StepFaults& faults, std::string name, std::unique_ptr<Action> action) {
  return std::make_unique<FaultyAction>(host, faults, std::move(name), std::move(action));
}

}  // namespace mcv::sim
