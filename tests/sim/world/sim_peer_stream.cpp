// SPDX-License-Identifier: Apache-2.0
#include "world/sim_peer_stream.h"

#include <chrono>

namespace mcv::sim {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

constexpr Time probe_interval = 2s;
constexpr Time noticed_after = 10s;  // as set_dead_peer_detection

class End final : public host::ByteStream {
 public:
  End(std::shared_ptr<SimPeerConnection> connection, SimPeerConnection::Side side) : connection_(std::move(connection)), side_(side) {}
  ~End() override { connection_->hang_up(side_); }
  boost::asio::awaitable<Result<std::string>> read_some() override { return connection_->read(side_); }
  boost::asio::awaitable<Status> write(std::string bytes) override { return connection_->write(side_, std::move(bytes)); }
  void close() override { connection_->hang_up(side_); }

 private:
  std::shared_ptr<SimPeerConnection> connection_;
  SimPeerConnection::Side side_;
};

Error lost() { return Error(ErrorCode::connection_lost, "the connection was lost"); }

boost::asio::awaitable<void> wait(Scheduler& scheduler, Owner owner, std::optional<Reply<bool>>& place) {
  std::function<void(Reply<bool>)> begin = [&place](Reply<bool> reply) { place = reply; };
  co_await await_reply<bool>(scheduler, owner, std::move(begin));
}

}  // namespace

void SimPeerConnection::Direction::wake() {
  for (auto* waiting : {&reader, &writer}) {
    if (const auto reply = std::exchange(*waiting, std::nullopt)) (*reply)(true);
  }
}

SimPeerConnection::SimPeerConnection(Scheduler& scheduler, std::array<Owner, 2> owners, Link link)
    : scheduler_(scheduler), owners_(owners), link_(std::move(link)) {}

std::unique_ptr<host::ByteStream> SimPeerConnection::end(Side side) { return std::make_unique<End>(shared_from_this(), side); }

void SimPeerConnection::watch() {
  scheduler_.after(0, probe_interval, [self = shared_from_this()]() {
    if (self->lost_ || (self->closed_[0] && self->closed_[1])) return;
    self->silent_ = self->link_.is_cut() ? self->silent_ + probe_interval : Time{0};
    if (self->silent_ >= noticed_after) return self->lose();
    // What the cut held back is sent again.
    for (const Side side : {Side{0}, Side{1}}) self->arrive(side);
    self->watch();
  });
}

void SimPeerConnection::lose() {
  lost_ = true;
  for (Direction& direction : directions_) direction.wake();
}

void SimPeerConnection::hang_up(Side side) {
  if (closed_[side]) return;
  closed_[side] = true;
  from(1 - side).wake();
  send(side, std::string());
}

void SimPeerConnection::send(Side side, std::string piece) {
  from(side).bytes += piece.size();
  from(side).under_way.push_back(std::move(piece));
  const milliseconds there(scheduler_.chance().between(1, link_.slowest_ms));
  scheduler_.after(0, there, [self = shared_from_this(), side]() { self->arrive(side); });
}

void SimPeerConnection::arrive(Side side) {
  Direction& direction = from(side);
  if (lost_ || link_.is_cut() || direction.under_way.empty()) return;
  std::string piece = std::move(direction.under_way.front());
  direction.under_way.pop_front();
  if (piece.empty()) direction.over = true;
  else direction.arrived.push_back(std::move(piece));
  direction.wake();
  // Who waits to write hears of the other side's end, too.
  if (direction.over) from(1 - side).wake();
}

boost::asio::awaitable<Result<std::string>> SimPeerConnection::read(Side side) {
  const auto self = shared_from_this();
  Direction& direction = from(1 - side);
  while (true) {
    if (closed_[side]) co_return std::string();
    if (lost_) co_return lost();
    if (!direction.arrived.empty()) break;
    if (direction.over) co_return std::string();
    co_await wait(scheduler_, owners_[side], direction.reader);
  }
  std::string piece = std::move(direction.arrived.front());
  direction.arrived.pop_front();
  direction.bytes -= piece.size();
  if (const auto writer = std::exchange(direction.writer, std::nullopt)) (*writer)(true);
  co_return piece;
}

boost::asio::awaitable<Status> SimPeerConnection::write(Side side, std::string bytes) {
  const auto self = shared_from_this();
  Direction& direction = from(side);
  while (!bytes.empty()) {
    if (lost_ || closed_[side] || from(1 - side).over) co_return lost();
    if (direction.bytes < window) {
      const std::size_t most = std::min(bytes.size(), window - direction.bytes);
      send(side, bytes.substr(0, most));
      bytes.erase(0, most);
      continue;
    }
    co_await wait(scheduler_, owners_[side], direction.writer);
  }
  co_return success();
}

}  // namespace mcv::sim
