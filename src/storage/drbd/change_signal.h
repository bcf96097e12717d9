// SPDX-License-Identifier: Apache-2.0
// Wakes every coroutine that waits for "something changed". Loop thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>

#include "cluster/host/clock.h"

namespace mcv::drbd {

class ChangeSignal {
 public:
  explicit ChangeSignal(boost::asio::any_io_executor executor);
  ~ChangeSignal();
  ChangeSignal(const ChangeSignal&) = delete;
  ChangeSignal& operator=(const ChangeSignal&) = delete;

  void notify();
  /// Changes so far: read it before looking, so that a change while looking is not missed.
  std::uint64_t count() const;
  /// Returns true at once when more than `seen` changes happened, else at the next one; false after `bound`.
  boost::asio::awaitable<bool> wait_beyond(std::uint64_t seen, host::Clock& clock, host::Duration bound);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mcv::drbd
