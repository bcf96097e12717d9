// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/wakeup.h"

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

#include "cluster/host/race.h"

namespace mcv::host {

namespace asio = boost::asio;
using boost::system::error_code;

// No timer of Asio's: those need a reactor, and the simulator has none (docs/architecture.md, coroutine rule 10).
struct Wakeup::State {
  asio::any_io_executor executor;
  std::uint64_t notifications = 0;
  std::uint64_t next_waiter = 0;
  std::map<std::uint64_t, std::function<void(error_code)>> waiters;

  void finish(std::uint64_t waiter, error_code error) {
    const auto found = waiters.find(waiter);
    if (found == waiters.end()) return;
    auto resume = std::move(found->second);
    waiters.erase(found);
    asio::post(executor, [resume = std::move(resume), error]() { resume(error); });
  }
};

namespace {

// An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
asio::awaitable<void> wait_once(std::weak_ptr<Wakeup::State> state) {
  auto initiate = [weak = std::move(state)](auto handler) {
    const auto alive = weak.lock();
    if (!alive) return;
    const std::uint64_t waiter = alive->next_waiter++;
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    alive->waiters.emplace(waiter, [shared](error_code error) { std::move (*shared)(error); });
    if (!slot.is_connected()) return;
    slot.assign([weak, waiter](asio::cancellation_type) {
      if (const auto still = weak.lock()) still->finish(waiter, asio::error::operation_aborted);
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(error_code)>(std::move(initiate), asio::use_awaitable);
}

// A frame that waits owns no state: what a crash leaves behind is released with its owner, not kept by a cycle.
asio::awaitable<void> wait_from(std::weak_ptr<Wakeup::State> state, std::uint64_t seen) {
  const auto is_over = [&state, seen] {
    const auto alive = state.lock();
    return !alive || alive->notifications > seen;
  };
  while (!is_over()) co_await wait_once(state);
}

}  // namespace

Wakeup::Wakeup(asio::any_io_executor executor) : state_(std::make_shared<State>()) { state_->executor = std::move(executor); }

// Whoever still waits goes on and looks: nobody hangs on an object that is gone.
Wakeup::~Wakeup() { notify(); }

void Wakeup::notify() {
  ++state_->notifications;
  while (!state_->waiters.empty()) state_->finish(state_->waiters.begin()->first, error_code());
}

std::uint64_t Wakeup::count() const { return state_->notifications; }

asio::awaitable<void> Wakeup::wait() { return wait_from(state_, state_->notifications); }

asio::awaitable<void> Wakeup::wait_for(Clock& clock, Duration at_most) { return wait_beyond(state_->notifications, clock, at_most); }

asio::awaitable<void> Wakeup::wait_beyond(std::uint64_t seen, Clock& clock, Duration at_most) {
  return race(wait_from(state_, seen), clock.sleep_for(at_most));
}

}  // namespace mcv::host
