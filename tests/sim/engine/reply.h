// SPDX-License-Identifier: Apache-2.0
// How the world answers a coroutine: it keeps a Reply and calls it when the effect is there.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "engine/scheduler.h"

namespace mcv::sim {

using boost::system::error_code;

/// Copyable; the first call counts, and none does after a cancellation or the owner's crash.
template <typename T>
class Reply {
 public:
  struct State final : Droppable {
    Scheduler* scheduler = nullptr;
    Owner owner = 0;
    UniqueFunction<void(error_code, T)> handler;
    void drop() override { auto dropped = std::move(handler); }
    void finish(error_code error, T value) {
      if (!handler) return;
      auto resume = std::move(handler);
      scheduler->release(owner, this);
      scheduler->post(owner, [resume = std::move(resume), error, value = std::move(value)]() mutable { resume(error, std::move(value)); });
    }
  };
  explicit Reply(std::shared_ptr<State> state) : state_(std::move(state)) {}

  void operator()(T value) const {
    if (const auto alive = state_.lock()) alive->finish(error_code(), std::move(value));
  }
  bool wanted() const { return !state_.expired() && state_.lock()->handler; }

 private:
  std::weak_ptr<State> state_;
};

/// Suspends until `start`'s Reply is called. A plain function: initiations hold no co_await (GCC 12).
template <typename T>
boost::asio::awaitable<T> await_reply(Scheduler& scheduler, Owner owner, std::function<void(Reply<T>)> start) {
  namespace asio = boost::asio;
  auto initiate = [&scheduler, owner, start = std::move(start)](auto handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto state = std::make_shared<typename Reply<T>::State>();
    state->scheduler = &scheduler;
    state->owner = owner;
    state->handler = [held = std::move(handler)](error_code error, T value) mutable { std::move(held)(error, std::move(value)); };
    scheduler.hold(owner, state);
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr<typename Reply<T>::State>(state)](asio::cancellation_type) {
        if (const auto alive = weak.lock()) alive->finish(asio::error::operation_aborted, T());
      });
    }
    start(Reply<T>(state));
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(error_code, T)>(std::move(initiate), asio::use_awaitable);
}

}  // namespace mcv::sim
