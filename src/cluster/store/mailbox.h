// SPDX-License-Identifier: Apache-2.0
// An unbounded queue between coroutines of one loop. Single-threaded; one reader at a time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace mcv {

template <typename T>
class Mailbox {
 public:
  explicit Mailbox(boost::asio::any_io_executor executor) : state_(std::make_shared<State>()) { state_->executor = std::move(executor); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void push(T item) {
    state_->items.push_back(std::move(item));
    wake(state_, {});
  }
  bool empty() const { return state_->items.empty(); }
  void clear() { state_->items.clear(); }

  /// The next item, in order. Cancellable.
  boost::asio::awaitable<T> next() {
    const std::shared_ptr<State> state = state_;
    while (state->items.empty()) co_await wait(state);
    T item = std::move(state->items.front());
    state->items.pop_front();
    co_return item;
  }

 private:
  struct State {
    boost::asio::any_io_executor executor;
    std::deque<T> items;
    std::function<void(boost::system::error_code)> waiter;
  };

  static void wake(const std::shared_ptr<State>& state, boost::system::error_code error) {
    if (!state->waiter) return;
    auto waiter = std::exchange(state->waiter, nullptr);
    boost::asio::post(state->executor, [waiter = std::move(waiter), error] { waiter(error); });
  }

  // An initiation lives in a plain function without co_await (GCC 12, docs/architecture.md).
  static boost::asio::awaitable<void> wait(std::shared_ptr<State> state) {
    auto initiate = [state](auto handler) {
      auto slot = boost::asio::get_associated_cancellation_slot(handler);
      if (slot.is_connected()) {
        slot.assign([state](boost::asio::cancellation_type) { wake(state, boost::asio::error::operation_aborted); });
      }
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      state->waiter = [shared](boost::system::error_code error) { std::move(*shared)(error); };
    };
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(boost::system::error_code)>(std::move(initiate),
                                                                                                         boost::asio::use_awaitable);
  }

  std::shared_ptr<State> state_;
};

}  // namespace mcv
