// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/change_signal.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace mcv {

namespace asio = boost::asio;
using boost::system::error_code;

struct ChangeSignal::State {
  asio::any_io_executor executor;
  std::map<std::uint64_t, std::function<void(error_code)>> waiters;
  std::uint64_t next = 0;

  void finish(std::uint64_t waiter, error_code error) {
    const auto found = waiters.find(waiter);
    if (found == waiters.end()) return;
    auto resume = std::move(found->second);
    waiters.erase(found);
    asio::post(executor, [resume = std::move(resume), error]() { resume(error); });
  }
};

ChangeSignal::ChangeSignal(asio::any_io_executor executor) : state_(std::make_shared<State>()) { state_->executor = std::move(executor); }

// A frame that waits owns the state through nothing: it is released here, not by a cycle.
ChangeSignal::~ChangeSignal() { auto dropped = std::exchange(state_->waiters, {}); }

void ChangeSignal::notify_all() {
  while (!state_->waiters.empty()) state_->finish(state_->waiters.begin()->first, error_code());
}

// An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
asio::awaitable<void> ChangeSignal::wait() {
  auto initiate = [state = std::weak_ptr<State>(state_)](auto handler) {
    const auto alive = state.lock();
    if (!alive) return;
    const std::uint64_t waiter = alive->next++;
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    alive->waiters.emplace(waiter, [shared](error_code error) { std::move (*shared)(error); });
    if (slot.is_connected()) {
      slot.assign([state, waiter](asio::cancellation_type) {
        if (const auto still = state.lock()) still->finish(waiter, asio::error::operation_aborted);
      });
    }
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(error_code)>(std::move(initiate), asio::use_awaitable);
}

}  // namespace mcv
