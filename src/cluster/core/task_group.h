// SPDX-License-Identifier: Apache-2.0
// Owns background coroutines: nothing is detached, an exception in one ends the process, and `join()` returns
// when all have ended. Single-threaded: used from the loop's thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mcv {

class TaskGroup {
 public:
  explicit TaskGroup(boost::asio::any_io_executor executor);
  /// The owner must have joined, or the executor must be dead (a simulated crash).
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(boost::asio::awaitable<void> task);
  /// Asks every task to stop at its next await.
  void cancel();
  /// Waits until the last task has ended. Do not spawn afterwards.
  boost::asio::awaitable<void> join();
  std::size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mcv
