// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

namespace mcv {

/// "Something changed": every coroutine that waits now goes on. Single-threaded. Look again after waking: there is no
/// memory of signals nobody waited for.
class ChangeSignal {
 public:
  explicit ChangeSignal(boost::asio::any_io_executor executor);
  ~ChangeSignal();
  ChangeSignal(const ChangeSignal&) = delete;
  ChangeSignal& operator=(const ChangeSignal&) = delete;

  void notify_all();
  /// Cancellable. A signal that is destroyed leaves its waiters without an answer, as a crash does.
  boost::asio::awaitable<void> wait();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mcv
