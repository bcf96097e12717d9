// SPDX-License-Identifier: Apache-2.0
// Keeps what became of past verifies. A run is written down before it begins, so that one whose daemon dies shows as cut off.
// Nothing is decided by it: a record that cannot be written is missing, and the verify goes on.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/host/host.h"
#include "cluster/store/shared_state.h"
#include "cluster/store/verify_run_record.h"

namespace mcv {

class VerifyHistory {
 public:
  VerifyHistory(host::Clock& clock, SharedState& shared, NodeRecords& records) : clock_(clock), shared_(shared), records_(records) {}

  struct Begun {
    VerifyRun run;
    host::Instant since;
    bool is_anew = false;  ///< this operation had begun it before, and mcvd ended in the middle
  };

  /// Of runs of an earlier life of this daemon: they were cut off. Before the operations go on.
  boost::asio::awaitable<void> close_open();
  /// At most one run of a volume at a time.
  boost::asio::awaitable<Begun> begin(VolumeRecord volume, std::string operation, std::string asked_by);
  /// As it ended; what is older than kept goes.
  boost::asio::awaitable<void> end(Begun begun);

  /// Of both nodes, newest first.
  std::vector<VerifyRun> of(const VolumeRecord& volume) const;

 private:
  std::vector<VerifyRun> own() const;
  boost::asio::awaitable<bool> append(VerifyRun run);
  /// What `run` was while it went on, and what is of no more use.
  boost::asio::awaitable<void> forget_before(VerifyRun run);

  host::Clock& clock_;
  SharedState& shared_;
  NodeRecords& records_;
};

}  // namespace mcv
