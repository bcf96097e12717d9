// SPDX-License-Identifier: Apache-2.0
// Corosync: a totem ring per side of the network and the closed process group in it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/host/group.h"
#include "engine/reply.h"

namespace mcv::sim {

/// What corosync does to messages, in the small (anchors 0.5): one total order per ring; a node that a message did not
/// reach before the ring broke never gets it, its sender always does; while the token is lost nothing is delivered, not
/// even to oneself; messages that had no place in the order yet get one in the next ring.
class SimCorosync {
 public:
  explicit SimCorosync(Scheduler& scheduler) : scheduler_(scheduler) {}

  void start(std::size_t node);
  void stop(std::size_t node);    ///< orderly or killed: its daemon sees GroupLost
  void power_off(std::size_t node);
  bool running(std::size_t node) const { return sides_[node].running; }
  void cut();
  void heal();
  bool is_cut() const { return cut_; }
  /// Whether `other` is in the ring of `node`: it notices a loss a moment later.
  bool sees(std::size_t node, std::size_t other) const { return sides_[node].running && sides_[node].ring.count(other) != 0; }

 private:
  friend class SimGroup;
  struct Entry {
    enum class Kind { message, join, leave } kind = Kind::message;
    std::size_t sender = 0;
    std::string bytes;
    std::uint64_t connection = 0;  ///< join and leave: which of the daemon's connections
  };
  struct Side {
    bool running = false;
    std::set<std::size_t> ring;          ///< nodes of the ring this side is in
    std::deque<Entry> unsent;            ///< accepted, no place in the order yet
    std::deque<std::pair<std::size_t, Entry>> arriving;  ///< ordered, on the way to this side; first = place
    Time last_arrival{0};
    std::map<std::size_t, std::uint64_t> members;  ///< of the group as this side knows it: node -> its connection
    class SimGroup* daemon = nullptr;    ///< connected
    std::uint64_t connection = 0;
    bool joined = false;                 ///< its join has been delivered: nothing is before
  };
  bool token_turns(std::size_t node) const;
  void send(std::size_t node, Entry entry);
  void order(std::size_t node);
  void arrive(std::size_t node);
  void deliver(std::size_t node, const Entry& entry);
  void break_rings_later();
  void settle_rings();
  void form_ring(std::set<std::size_t> nodes);
  void tell_members(std::size_t node);

  Scheduler& scheduler_;
  bool cut_ = false;
  std::uint64_t network_version_ = 0;
  std::size_t next_place_ = 0;
  std::uint64_t next_connection_ = 1;
  std::array<Side, 2> sides_;
};

class SimGroup final : public host::GroupChannel {
 public:
  SimGroup(Scheduler& scheduler, Owner owner, SimCorosync& corosync, std::size_t node)
      : scheduler_(scheduler), owner_(owner), corosync_(corosync), node_(node) {}
  ~SimGroup() override;

  boost::asio::awaitable<Status> join() override;
  boost::asio::awaitable<Status> multicast(std::string bytes) override;
  boost::asio::awaitable<host::GroupEvent> next() override;
  void leave() override;

 private:
  friend class SimCorosync;
  void push(host::GroupEvent event);
  void disconnect();

  Scheduler& scheduler_;
  Owner owner_;
  SimCorosync& corosync_;
  std::size_t node_;
  bool connected_ = false;
  std::uint64_t connection_ = 0;
  std::deque<host::GroupEvent> events_;
  std::optional<Reply<host::GroupEvent>> waiting_;
};

}  // namespace mcv::sim
