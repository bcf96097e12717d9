// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "cluster/host/clock.h"

namespace mcv::hv {

/// "Something changed, look again", for coroutines of one loop. Waiters may outlive it. A waiter checks its condition
/// before it waits and after: a wake-up carries no meaning of its own.
class Wakeup {
 public:
  explicit Wakeup(boost::asio::any_io_executor executor);
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void notify();
  /// Cancellable. Counts notifications from the call on, not from the first resumption.
  boost::asio::awaitable<void> wait();
  boost::asio::awaitable<void> wait_for(host::Clock& clock, host::Duration at_most);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace mcv::hv
