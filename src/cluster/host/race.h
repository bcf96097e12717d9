// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <exception>
#include <utility>

namespace mcv::host {

/// Runs both until one ends, then cancels the other and waits for it. Asio wraps "both were cancelled" in an exception
/// of its own; here it is the cancellation it was, which a TaskGroup knows.
inline boost::asio::awaitable<void> race(boost::asio::awaitable<void> one, boost::asio::awaitable<void> other) {
  using namespace boost::asio::experimental::awaitable_operators;
  try {
    co_await (std::move(one) || std::move(other));
  } catch (const boost::asio::multiple_exceptions& both) {
    std::rethrow_exception(both.first_exception());
  }
}

}  // namespace mcv::host
