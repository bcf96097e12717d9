// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "cluster/host/clock.h"

namespace mcv::host {

/// "Something changed, look again", for coroutines of one loop. A waiter checks its condition before it waits and after: a
/// wake-up carries no meaning of its own. A waiter may outlive it: it is woken then, and touches it no more.
class Wakeup {
 public:
  explicit Wakeup(boost::asio::any_io_executor executor);
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void notify();
  /// Notifications so far: read it before looking, so that a change while looking is not missed by wait_beyond().
  std::uint64_t count() const;

  /// All are cancellable and count notifications from the call on, not from the first resumption.
  boost::asio::awaitable<void> wait();
  boost::asio::awaitable<void> wait_for(Clock& clock, Duration at_most);
  /// At once when there were more than `seen`, else at the next one or after `at_most`.
  boost::asio::awaitable<void> wait_beyond(std::uint64_t seen, Clock& clock, Duration at_most);

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace mcv::host
