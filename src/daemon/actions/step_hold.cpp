// SPDX-License-Identifier: Apache-2.0
#include "daemon/actions/step_hold.h"

#include <chrono>
#include <fmt/format.h>
#include <optional>

#include "cluster/core/json.h"

namespace mcv {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds look_again{50};

/// What the file asks for, if it is this step and moment; whether it shall fail.
std::optional<bool> asked_for(const std::string& text, const std::string& action, std::size_t step, const std::string& moment) {
  const auto json = parse_json(text);
  if (!json.ok()) return std::nullopt;
  Fields fields(*json, "step hold");
  const auto wanted_action = fields.required<std::string>("action");
  const auto wanted_step = fields.required<std::uint64_t>("step");
  const auto wanted_moment = fields.required<std::string>("moment");
  const bool fail = fields.optional_or("fail", false);
  const bool is_meant = fields.finish().ok() && wanted_action == action && wanted_step == step && wanted_moment == moment;
  return is_meant ? std::optional<bool>(fail) : std::nullopt;
}

class HeldAction final : public Action {
 public:
  HeldAction(host::Host& host, std::string file, std::string name, std::unique_ptr<Action> action)
      : host_(host), file_(std::move(file)), name_(std::move(name)), action_(std::move(action)) {}

  asio::awaitable<Result<Json>> run(StepContext context) override {
    const std::string operation = context.operation.str();
    const std::size_t step = context.step;
    MCV_CO_CHECK(co_await stand(operation, step, "before-run"));
    auto result = co_await action_->run(std::move(context));
    MCV_CO_CHECK(co_await stand(operation, step, "after-run"));
    co_return result;
  }

  asio::awaitable<Status> undo(StepContext context) override {
    const std::string operation = context.operation.str();
    const std::size_t step = context.step;
    MCV_CO_CHECK(co_await stand(operation, step, "before-undo"));
    auto result = co_await action_->undo(std::move(context));
    MCV_CO_CHECK(co_await stand(operation, step, "after-undo"));
    co_return result;
  }

  asio::awaitable<Result<Landed>> landed(StepContext context) override { return action_->landed(std::move(context)); }

 private:
  /// At once unless the file asks for it. An error only where it asks for one.
  asio::awaitable<Status> stand(std::string operation, std::size_t step, std::string moment) {
    const auto text = co_await host_.files.read(file_);
    if (!text.ok()) co_return success();
    const std::optional<bool> fail = asked_for(*text, name_, step, moment);
    if (!fail) co_return success();
    MCV_CO_CHECK(co_await host_.files.remove(file_));
    const std::string reached = file_ + ".reached";
    const Json said = {{"operation", operation}, {"action", name_}, {"step", step}, {"moment", moment}};
    std::string line = said.dump() + "\n";
    MCV_CO_CHECK(co_await host_.files.write_durably(reached, std::move(line), 0600));
    for (;;) {
      const auto stands = co_await host_.files.exists(reached);
      if (stands.ok() && !*stands) break;
      co_await host_.clock.sleep_for(look_again);
    }
    if (*fail) co_return Error(ErrorCode::command_failed, fmt::format("a test lets step {} fail {}", step, moment));
    co_return success();
  }

  host::Host& host_;
  std::string file_;
  std::string name_;
  std::unique_ptr<Action> action_;
};

}  // namespace

std::unique_ptr<Action> hold_for_test(host::Host& host, std::string file, std::string name, std::unique_ptr<Action> action) {
  return std::make_unique<HeldAction>(host, std::move(file), std::move(name), std::move(action));
}

}  // namespace mcv
