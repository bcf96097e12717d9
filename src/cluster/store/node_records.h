// SPDX-License-Identifier: Apache-2.0
// Records a node writes alone (DESIGN 4): operation steps, audit, suspect verdicts, alone-since. Durable here at once,
// numbered by their only writer, shipped to the peer whenever its daemon is in the group. Merging is concatenation.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "cluster/host/host.h"
#include "cluster/store/shared_state.h"

namespace mcv {

struct NodeOwnedRecord {
  std::string node;          ///< the writer
  std::string stream;        ///< the writer's store: another one after a node was replaced
  std::uint64_t number = 0;  ///< ascending within the stream, with gaps
  std::string kind;
  Json body;
  friend bool operator==(const NodeOwnedRecord&, const NodeOwnedRecord&) = default;
};

/// One per daemon, single-threaded, on the loop's thread. `shared` carries the messages and must outlive this.
class NodeRecords {
 public:
  NodeRecords(host::Host& host, SharedState& shared);
  ~NodeRecords();
  NodeRecords(const NodeRecords&) = delete;
  NodeRecords& operator=(const NodeRecords&) = delete;

  /// Reads the store and starts shipping. After SharedState::load, before its start_group.
  boost::asio::awaitable<Status> load();

  /// Durable here when it returns; true when the peer has it durably too (and everything before it), false after two
  /// seconds without its report or while it is not in contact. `may_use_reserve`: the record finishes something begun.
  /// Errors: `disk_full` (not written), `io_error`.
  boost::asio::awaitable<Result<bool>> append(std::string kind, Json body, bool may_use_reserve = true);
  /// Removes own records that are of no more use, here and at the peer. Unknown numbers are ignored.
  boost::asio::awaitable<Status> forget(std::vector<std::uint64_t> numbers);

  /// Forgets every record of every node, here alone: this node was removed and begins anew.
  boost::asio::awaitable<Status> begin_anew();
  /// Forgets what a node that is no member any more had written, but for the kinds in `kept`.
  boost::asio::awaitable<Status> forget_node(std::string node, std::set<std::string> kept);

  /// Both nodes' records of a kind, by node, stream and number. Those of the peer as far as they were shipped.
  std::vector<NodeOwnedRecord> read(const std::string& kind) const;
  std::vector<NodeOwnedRecord> read_own(const std::string& kind) const;
  /// The number `append` gave last.
  std::uint64_t last_number() const;
  /// Whether the peer has all of this node's records durably, as far as known.
  bool shipped() const;
  /// Called when records of the peer arrived; must not wait.
  void on_arrival(std::function<void()> callback);

  boost::asio::awaitable<void> stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mcv
