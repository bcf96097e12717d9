// SPDX-License-Identifier: Apache-2.0
// This node's word to the cluster that adds it: from the first step of a join until it took over that cluster's configuration
// or is free again. Durable, so that a crash on either side leaves neither a forgotten reservation nor a forgotten pool.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/host/files.h"
#include "cluster/model/records.h"

namespace mcv::join {

struct Reserved {
  NodeRecord inviter;             ///< its key may finish or abandon the join
  std::vector<PoolRecord> pools;  ///< what the join makes here, written down before it is made
  bool given_up = false;          ///< being freed: the inviter's key opens nothing any more

  Json to_json() const;
  static Result<Reserved> from_json(const Json& json);
  friend bool operator==(const Reserved&, const Reserved&) = default;
};

/// On the loop's thread. Everything that changes it is durable when it returns.
class Reservation {
 public:
  Reservation(host::Files& files, std::string path) : files_(files), path_(std::move(path)) {}

  /// Once, before the others. No file is none.
  boost::asio::awaitable<Status> load();
  const std::optional<Reserved>& kept() const { return kept_; }
  /// The node whose join goes on here; nullptr when there is none, or it was given up.
  const NodeRecord* inviter() const { return kept_ && !kept_->given_up ? &kept_->inviter : nullptr; }

  /// Again for the same inviter keeps what is known.
  boost::asio::awaitable<Status> make(NodeRecord inviter);
  boost::asio::awaitable<Status> note_pool(PoolRecord pool);
  boost::asio::awaitable<Status> forget_pool(PoolName pool);
  boost::asio::awaitable<Status> give_up();
  boost::asio::awaitable<Status> clear();

 private:
  boost::asio::awaitable<Status> keep(Reserved reserved);

  host::Files& files_;
  std::string path_;
  std::optional<Reserved> kept_;
};

}  // namespace mcv::join
