// SPDX-License-Identifier: Apache-2.0
// Says in the journal that volumes were not compared for too long, and that they were: each once.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <set>

#include "cluster/host/host.h"
#include "cluster/store/shared_state.h"

namespace mcv {

class VerifyAlarm {
 public:
  VerifyAlarm(host::Clock& clock, SharedState& shared) : clock_(clock), shared_(shared) {}

  /// Looks from time to time, until it is cancelled.
  boost::asio::awaitable<void> watch();
  /// What changed since the last look.
  void look();

 private:
  host::Clock& clock_;
  SharedState& shared_;
  std::set<VolumeName> overdue_;
};

}  // namespace mcv
