// SPDX-License-Identifier: Apache-2.0
// The journals of all operations of this node, in the store's table "operations". One key per entry, so an entry costs
// one small commit; the keys sort by operation and then by entry.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <map>
#include <vector>

#include "cluster/host/store.h"
#include "cluster/plan/operation_state.h"

namespace mcv {

using OperationNumber = std::uint64_t;

class Journal {
 public:
  explicit Journal(host::Store& store) : store_(store) {}

  struct Loaded {
    std::map<OperationNumber, OperationState> operations;
    OperationNumber next = 1;  ///< never reused, also after old operations were forgotten
  };
  /// `store_corrupt` for a journal that cannot have been written, `format_unknown` for one of a newer build.
  boost::asio::awaitable<Result<Loaded>> load();

  struct Line {
    OperationNumber operation = 0;
    std::size_t position = 0;  ///< OperationState::entries() before it
    JournalEntry entry;
  };
  /// All lines in one commit. Durable when it returns success.
  boost::asio::awaitable<Status> write(std::vector<Line> lines);
  boost::asio::awaitable<Status> forget(OperationNumber operation);

 private:
  host::Store& store_;
};

}  // namespace mcv
