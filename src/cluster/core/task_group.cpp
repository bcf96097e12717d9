// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/task_group.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <list>
#include <utility>

namespace mcv {

namespace asio = boost::asio;

struct TaskGroup::State {
  asio::any_io_executor executor;
  std::list<asio::cancellation_signal> signals;
  std::vector<std::function<void()>> waiters;

  void ended(std::list<asio::cancellation_signal>::iterator signal) {
    signals.erase(signal);
    if (!signals.empty()) return;
    for (auto& waiter : std::exchange(waiters, {})) asio::post(executor, std::move(waiter));
  }
};

namespace {

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor) : state_(std::make_shared<State>()) { state_->executor = std::move(executor); }

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(asio::awaitable<void> task) {
  const auto signal = state_->signals.emplace(state_->signals.end());
  // A task that throws is a defect: the process ends, systemd restarts it, guests live on and are adopted.
  auto on_end = [state = state_, signal](std::exception_ptr error) {
    if (error && !is_cancellation(error)) std::rethrow_exception(error);
    state->ended(signal);
  };
  asio::co_spawn(state_->executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(on_end)));
}

void TaskGroup::cancel() {
  // Emitting may end a task at once and erase its signal: walk a copy of the positions.
  std::vector<std::list<asio::cancellation_signal>::iterator> signals;
  for (auto signal = state_->signals.begin(); signal != state_->signals.end(); ++signal) signals.push_back(signal);
  for (const auto signal : signals) signal->emit(asio::cancellation_type::terminal);
}

std::size_t TaskGroup::running() const { return state_->signals.size(); }

namespace {

// An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
template <typename State>
asio::awaitable<void> wait_for_waiters(std::shared_ptr<State> state) {
  auto initiate = [state](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    state->waiters.push_back([shared]() { std::move (*shared)(); });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiate), asio::use_awaitable);
}

}  // namespace

asio::awaitable<void> TaskGroup::join() {
  auto state = state_;
  if (!state->signals.empty()) co_await wait_for_waiters(state);
}

}  // namespace mcv
