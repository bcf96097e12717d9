// SPDX-License-Identifier: Apache-2.0
// Two histories, and the person who chooses one: shows both, and makes the choice on the node whose history stays.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "cluster/core/json.h"
#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/store/divergence.h"
#include "cluster/store/position.h"

namespace mcv {

class Node;

class DivergenceDesk {
 public:
  explicit DivergenceDesk(Node& node) : node_(node) {}

  /// Both histories as far as they can be had now, and what earlier choices gave up.
  boost::asio::awaitable<Json> view();
  /// The other node asks for this one's history. While a choice is being made here, it may only look.
  boost::asio::awaitable<Result<Json>> answer_peer(Json body);
  /// This node's history is the cluster's. `by` empty: only asks what would follow.
  boost::asio::awaitable<Result<Json>> choose(std::string by);
  /// The lists of what was given up are not shown any more.
  boost::asio::awaitable<Result<Committed>> dismiss();

 private:
  struct OtherSide;
  boost::asio::awaitable<Result<OtherSide>> ask_peer(bool to_choose);
  boost::asio::awaitable<Result<Json>> choose_now(std::string by);

  Node& node_;
  bool choosing_ = false;
};

}  // namespace mcv
