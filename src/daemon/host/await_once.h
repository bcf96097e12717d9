// SPDX-License-Identifier: Apache-2.0
// Awaiting an object that works by callbacks and answers once. The initiation lives in plain functions without
// co_await: GCC 12 miscompiles the other way round.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>
#include <utility>

namespace mcv::host {

/// The answering end. Copies share one answer; the second answer is ignored.
template <typename T>
class Answer {
 public:
  using Deliver = std::function<void(boost::system::error_code, T)>;
  explicit Answer(Deliver deliver) : deliver_(std::make_shared<Deliver>(std::move(deliver))) {}

  void give(T value) { finish(boost::system::error_code(), std::move(value)); }
  /// The awaiting coroutine gets operation_aborted as an exception, as from every cancelled Asio operation.
  void abort() { finish(boost::asio::error::operation_aborted, T()); }
  bool given() const { return !*deliver_; }

 private:
  void finish(boost::system::error_code code, T value) {
    Deliver deliver = std::exchange(*deliver_, nullptr);
    if (deliver) deliver(code, std::move(value));
  }
  std::shared_ptr<Deliver> deliver_;
};

/// Begins the work and returns what cancels it. Called once and dropped at once; the canceller holds the work weakly,
/// because the work holds the answer, and that the whole coroutine. The canceller must lead to `abort()` or `give()`.
template <typename T>
using Begin = std::function<std::function<void()>(Answer<T>)>;

/// Runs `begin` when awaited; resumes through `executor`, never inside the caller of `give`.
template <typename T>
boost::asio::awaitable<T> await_once(boost::asio::any_io_executor executor, Begin<T> begin) {
  auto initiate = [executor = std::move(executor), begin = std::move(begin)](auto handler) mutable {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    Answer<T> answer([executor, shared, slot](boost::system::error_code code, T value) {
      auto old_slot = slot;
      if (old_slot.is_connected()) old_slot.clear();
      auto resume = [shared, code, value = std::make_shared<T>(std::move(value))]() {
        std::move (*shared)(code, std::move(*value));
      };
      boost::asio::post(executor, std::move(resume));
    });
    Begin<T> start = std::exchange(begin, nullptr);
    std::function<void()> cancel = start(answer);
    if (!slot.is_connected() || answer.given()) return;
    // Posted: the slot must not be cleared while it is being emitted.
    slot.assign([executor, cancel](boost::asio::cancellation_type) { boost::asio::post(executor, cancel); });
  };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(boost::system::error_code, T)>(
      std::move(initiate), boost::asio::use_awaitable);
}

}  // namespace mcv::host
