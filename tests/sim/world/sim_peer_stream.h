// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cluster/host/streams.h"
#include "engine/reply.h"

namespace mcv::sim {

/// An upgraded connection of two daemons: two ends, bytes in order, a bounded window. A cut link holds everything back and,
/// after as long as the real one takes to notice, ends the connection on both sides.
class SimPeerConnection : public std::enable_shared_from_this<SimPeerConnection> {
 public:
  static constexpr std::size_t window = 64 * 1024;
  using Side = std::size_t;  ///< 0 called, 1 answered

  struct Link {
    std::function<bool()> is_cut;
    std::uint64_t slowest_ms = 20;
  };
  SimPeerConnection(Scheduler& scheduler, std::array<Owner, 2> owners, Link link);
  /// Once, after construction: from then on it notices a cut.
  void watch();

  std::unique_ptr<host::ByteStream> end(Side side);
  /// The stream of that side was closed, or its daemon is gone.
  void hang_up(Side side);

  boost::asio::awaitable<Result<std::string>> read(Side side);
  boost::asio::awaitable<Status> write(Side side, std::string bytes);

 private:
  /// From one side to the other; an empty piece is the sender's hanging up.
  struct Direction {
    std::deque<std::string> under_way;
    std::deque<std::string> arrived;
    std::size_t bytes = 0;  ///< of both
    bool over = false;      ///< the hanging up arrived
    std::optional<Reply<bool>> reader;
    std::optional<Reply<bool>> writer;
    void wake();
  };
  Direction& from(Side side) { return directions_[side]; }
  void send(Side side, std::string piece);
  void arrive(Side side);
  void lose();

  Scheduler& scheduler_;
  std::array<Owner, 2> owners_;
  Link link_;
  std::array<Direction, 2> directions_;  ///< by the side that sends
  std::array<bool, 2> closed_{};
  bool lost_ = false;
  Time silent_{0};
};

}  // namespace mcv::sim
