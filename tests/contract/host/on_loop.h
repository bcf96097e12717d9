// SPDX-License-Identifier: Apache-2.0
// Runs one coroutine to its end on a loop of its own; a test that hangs is a failure after a minute.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

namespace mcv::test {

constexpr std::chrono::seconds test_deadline{60};

template <typename T>
T on_loop(boost::asio::io_context& loop, boost::asio::awaitable<T> work) {
  std::exception_ptr failure;
  std::optional<T> value;
  bool done = false;
  auto on_end = [&](std::exception_ptr error, T result) {
    failure = error;
    value.emplace(std::move(result));
    done = true;
  };
  boost::asio::co_spawn(loop, std::move(work), on_end);
  const auto end = std::chrono::steady_clock::now() + test_deadline;
  loop.restart();
  while (!done && std::chrono::steady_clock::now() < end) loop.run_one_until(end);
  if (failure) std::rethrow_exception(failure);
  if (!done) throw std::runtime_error("the test did not end within its deadline");
  return std::move(*value);
}

inline void on_loop(boost::asio::io_context& loop, boost::asio::awaitable<void> work) {
  std::exception_ptr failure;
  bool done = false;
  auto on_end = [&](std::exception_ptr error) {
    failure = error;
    done = true;
  };
  boost::asio::co_spawn(loop, std::move(work), on_end);
  const auto end = std::chrono::steady_clock::now() + test_deadline;
  loop.restart();
  while (!done && std::chrono::steady_clock::now() < end) loop.run_one_until(end);
  if (failure) std::rethrow_exception(failure);
  if (!done) throw std::runtime_error("the test did not end within its deadline");
}

}  // namespace mcv::test
