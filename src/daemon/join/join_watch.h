// SPDX-License-Identifier: Apache-2.0
// The joiner's side of a join that does not end: it asks the node that invited it, says so while that node is silent, and
// becomes blank again when the join is known to be gone or a person says so.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

#include "cluster/core/json.h"
#include "cluster/core/result.h"
#include "cluster/host/peer_network.h"

namespace mcv {
class Node;
}

namespace mcv::join {

/// What the inviter says of its join with this node.
enum class InviterSays {
  silent,     ///< it cannot be asked, or does not know yet: its operations are not read back
  under_way,  ///< an operation of its goes on, or waits for an operator
  member,     ///< committed: this node is to take over the configuration
  nothing,    ///< it has no such join: undone, or that node is another one by now
};
std::string_view to_text(InviterSays says);
/// Unknown words are `silent`: nothing follows from them.
InviterSays inviter_says_from_text(std::string_view text);

class JoinWatch {
 public:
  explicit JoinWatch(Node& node) : node_(node) {}

  /// Asks until the join has ended here, if one is kept. Called at the daemon's start and for each new reservation.
  void begin();
  /// The last answer; `silent` before the first.
  InviterSays inviter_says() const { return says_; }

  /// Blank again: what the join made here is removed. Idempotent; goes on after a crash. `busy` while the configuration is
  /// being taken over, `already_clustered` afterwards.
  boost::asio::awaitable<Status> free();
  /// Whether a person's word may end it: not while the inviter answers (`peer_answers`), nor without a join (`not_found`).
  boost::asio::awaitable<Status> may_abandon();
  /// While it lives this node is not freed.
  class Adopting {
   public:
    explicit Adopting(JoinWatch& watch) : watch_(watch) { ++watch_.adopting_; }
    ~Adopting() { --watch_.adopting_; }
    Adopting(const Adopting&) = delete;
    Adopting& operator=(const Adopting&) = delete;

   private:
    JoinWatch& watch_;
  };
  bool is_freeing() const { return freeing_; }

 private:
  boost::asio::awaitable<void> ask_until_it_ended();
  boost::asio::awaitable<InviterSays> ask();
  boost::asio::awaitable<Status> remove_what_was_made();

  Node& node_;
  InviterSays says_ = InviterSays::silent;
  bool asking_ = false;
  bool freeing_ = false;
  int adopting_ = 0;
};

/// A change asked of a node that is reserved: `busy`. Looking, ending the join and a shutdown stay possible.
Status may_change(const Node& node, const std::string& method, const std::string& target);

/// The inviter's answer to its joiner, whose key is `caller`.
boost::asio::awaitable<Result<Json>> serve_state(Node& node, host::KeyFingerprint caller);

}  // namespace mcv::join
