// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cluster/host/wakeup.h"
#include "cluster/plan/journal.h"
#include "cluster/plan/operation_view.h"

namespace mcv {

/// One operation in memory: its state is changed only by entries that are durable. Single-threaded.
class OperationRecord {
 public:
  OperationRecord(boost::asio::any_io_executor executor, Journal& journal, OperationNumber number, OperationState state);

  OperationNumber number() const { return number_; }
  const OperationId& id() const { return state_.plan().id; }
  const OperationState& state() const { return state_; }
  OperationView view() const;

  /// Writes and then applies the longest beginning of `entries` that still fits the state when its turn comes, and says
  /// how many that were: another writer (a cancel) may have come first. Must not run in a coroutine a client can cancel.
  boost::asio::awaitable<Result<std::size_t>> append(std::vector<JournalEntry> entries);
  /// For an entry that was written by another commit (accepted, superseded).
  Status applied(const JournalEntry& entry);

  void report(std::optional<int> percent, std::string text);
  /// Returns when the view's version is another than `seen`.
  boost::asio::awaitable<void> wait_change(std::uint64_t seen);
  std::uint64_t version() const { return version_; }

  std::uint64_t next_sequence();
  /// A step is waited for that only time or the operator ends.
  bool waiting = false;
  bool give_up_wanted = false;

 private:
  void changed();

  Journal& journal_;
  OperationNumber number_;
  OperationState state_;
  std::optional<int> percent_;
  std::string progress_;
  std::uint64_t version_ = 1;
  std::uint64_t calls_ = 0;
  bool writing_ = false;
  host::Wakeup written_;
  host::Wakeup changed_;
};

}  // namespace mcv
