// SPDX-License-Identifier: Apache-2.0
// Looks at this node's storage pools again and again, tells the journal when one needs a person, and keeps what was seen for
// whoever asks: an answer about the cluster runs no tool that a stuck disk could keep.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <set>
#include <string>

#include "cluster/host/clock.h"
#include "cluster/model/observation.h"
#include "cluster/model/records.h"
#include "daemon/log/event_log.h"

namespace mcv {

class Node;

class PoolWatch {
 public:
  /// Between two looks. A pool that fills within it is refused by the look before each creation.
  static constexpr host::Duration pause = std::chrono::seconds(60);

  explicit PoolWatch(Node& node) : node_(node) {}
  /// Once, when the node has started; ends with the node's tasks.
  void begin();
  boost::asio::awaitable<void> look();

  /// By pool, as of the last look; empty before the first.
  const std::map<std::string, PoolFacts>& seen() const { return seen_; }

 private:
  boost::asio::awaitable<void> watch();
  void note(const PoolRecord& record, PoolFill fill);

  Node& node_;
  std::map<std::string, PoolFacts> seen_;
  std::set<std::string> waiting_;  ///< pools of which the journal was told that they let writes wait
};

LogEvent pool_event(const NodeName& node, const std::string& pool, const PoolFacts& facts, const PoolAdvice& advice);
LogEvent waiting_event(const NodeName& node, const std::string& pool, const PoolFacts& facts, const PoolAdvice& advice);

}  // namespace mcv
