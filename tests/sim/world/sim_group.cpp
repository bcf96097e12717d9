// SPDX-License-Identifier: Apache-2.0
#include "world/sim_group.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace mcv::sim {

using namespace std::chrono_literals;

namespace {

host::NodeId id_of(std::size_t node) { return static_cast<host::NodeId>(node + 1); }

}  // namespace

/// The token turns while every node of the ring runs and can be reached.
bool SimCorosync::token_turns(std::size_t node) const {
  const Side& side = sides_[node];
  if (!side.running || side.ring.count(node) == 0) return false;
  return std::all_of(side.ring.begin(), side.ring.end(), [&](std::size_t other) {
    return other == node || (sides_[other].running && sides_[other].ring == side.ring && !cut_);
  });
}

void SimCorosync::send(std::size_t node, Entry entry) {
  sides_[node].unsent.push_back(std::move(entry));
  scheduler_.after(0, std::chrono::microseconds(scheduler_.chance().between(100, 3000)), [this, node]() { order(node); });
}

/// Everything that waits gets its place, and is on its way to every side of the ring.
void SimCorosync::order(std::size_t node) {
  Side& side = sides_[node];
  if (!token_turns(node)) return;
  while (!side.unsent.empty()) {
    const Entry entry = std::move(side.unsent.front());
    side.unsent.pop_front();
    const std::size_t place = next_place_++;
    for (const std::size_t target : side.ring) {
      Side& there = sides_[target];
      const Time delay = std::chrono::microseconds(scheduler_.chance().between(50, 4000));
      there.last_arrival = std::max(there.last_arrival, scheduler_.now() + delay);
      there.arriving.emplace_back(place, entry);
      scheduler_.after(0, there.last_arrival - scheduler_.now(), [this, target]() { arrive(target); });
    }
  }
}

void SimCorosync::arrive(std::size_t node) {
  Side& side = sides_[node];
  if (side.arriving.empty() || !side.running) return;
  // On the way when the network broke: only what came from this node itself still arrives.
  if (!token_turns(node) && side.arriving.front().second.sender != node) return;
  const Entry entry = std::move(side.arriving.front().second);
  side.arriving.pop_front();
  deliver(node, entry);
}

void SimCorosync::deliver(std::size_t node, const Entry& entry) {
  Side& side = sides_[node];
  if (entry.kind == Entry::Kind::message) {
    if (side.daemon != nullptr && side.joined) side.daemon->push(host::GroupMessage{id_of(entry.sender), entry.bytes});
    return;
  }
  const auto known = side.members.find(entry.sender);
  if (entry.kind == Entry::Kind::join) side.members[entry.sender] = entry.connection;
  else if (known != side.members.end() && known->second == entry.connection) side.members.erase(known);
  if (entry.kind == Entry::Kind::join && entry.sender == node && entry.connection == side.connection) side.joined = true;
  tell_members(node);
}

void SimCorosync::tell_members(std::size_t node) {
  Side& side = sides_[node];
  if (side.daemon == nullptr || !side.joined) return;
  host::GroupMembership membership;
  for (const auto& [member, connection] : side.members) membership.members.push_back(id_of(member));
  side.daemon->push(membership);
}

void SimCorosync::start(std::size_t node) {
  if (sides_[node].running) return;
  scheduler_.say(fmt::format("corosync starts on {}", id_of(node)));
  sides_[node] = Side{};
  sides_[node].running = true;
  form_ring({node});
  break_rings_later();
}

void SimCorosync::stop(std::size_t node) {
  if (!sides_[node].running) return;
  scheduler_.say(fmt::format("corosync ends on {}", id_of(node)));
  SimGroup* daemon = sides_[node].daemon;
  sides_[node] = Side{};
  if (daemon != nullptr) daemon->disconnect();
  break_rings_later();
}

void SimCorosync::power_off(std::size_t node) {
  sides_[node] = Side{};
  break_rings_later();
}

void SimCorosync::cut() {
  cut_ = true;
  break_rings_later();
}

void SimCorosync::heal() {
  cut_ = false;
  break_rings_later();
}

/// Token loss is noticed after about a second, a merge takes as long; a network that changes again meanwhile starts over.
void SimCorosync::break_rings_later() {
  const std::uint64_t version = ++network_version_;
  const Time delay = std::chrono::milliseconds(scheduler_.chance().between(600, 1800));
  scheduler_.after(0, delay, [this, version]() {
    if (version == network_version_) settle_rings();
  });
  // A short interruption that ends in time changes no ring; what was stuck moves on.
  for (std::size_t node = 0; node < sides_.size(); ++node) {
    if (!token_turns(node)) continue;
    order(node);
    const std::size_t stuck = sides_[node].arriving.size();
    for (std::size_t i = 0; i < stuck; ++i) scheduler_.after(0, std::chrono::microseconds(10 + i), [this, node]() { arrive(node); });
  }
}

void SimCorosync::settle_rings() {
  const bool together = sides_[0].running && sides_[1].running && !cut_;
  if (together) {
    const std::set<std::size_t> both = {0, 1};
    if (sides_[0].ring != both || sides_[1].ring != both) form_ring(both);
    return;
  }
  for (std::size_t node = 0; node < sides_.size(); ++node) {
    const std::set<std::size_t> alone = {node};
    if (sides_[node].running && sides_[node].ring != alone) form_ring(alone);
  }
}

void SimCorosync::form_ring(std::set<std::size_t> nodes) {
  for (const std::size_t node : nodes) {
    Side& side = sides_[node];
    // The old ring ends: what reached this side, or began here, is delivered first; the rest is lost to it.
    auto rest = std::exchange(side.arriving, {});
    for (const auto& [place, entry] : rest) {
      if (entry.sender == node) deliver(node, entry);
    }
    side.ring = nodes;
    side.last_arrival = scheduler_.now();
  }
  std::map<std::size_t, std::uint64_t> members;
  for (const std::size_t node : nodes) {
    if (sides_[node].joined && sides_[node].daemon != nullptr) members[node] = sides_[node].connection;
  }
  for (const std::size_t node : nodes) {
    Side& side = sides_[node];
    // Who left and came back between two rings is told as gone first: it is another process.
    std::map<std::size_t, std::uint64_t> staying;
    for (const auto& item : members) {
      if (side.members.count(item.first) != 0 && side.members.at(item.first) == item.second) staying.insert(item);
    }
    if (side.members != staying) {
      side.members = staying;
      tell_members(node);
    }
    if (staying != members) {
      side.members = members;
      tell_members(node);
    }
  }
  for (const std::size_t node : nodes) order(node);
}

SimGroup::~SimGroup() {
  if (connected_) leave();
}

void SimGroup::push(host::GroupEvent event) {
  if (waiting_ && waiting_->wanted()) {
    const auto reply = *std::exchange(waiting_, std::nullopt);
    reply(std::move(event));
    return;
  }
  events_.push_back(std::move(event));
}

void SimGroup::disconnect() {
  connected_ = false;
  events_.clear();
  push(host::GroupLost{"corosync ended"});
}

boost::asio::awaitable<Status> SimGroup::join() {
  std::function<void(Reply<Status>)> begin = [this](Reply<Status> reply) {
    scheduler_.after(owner_, 1ms, [this, reply]() {
      SimCorosync::Side& side = corosync_.sides_[node_];
      if (!side.running) {
        reply(Error(ErrorCode::daemon_unreachable, "corosync is not running"));
        return;
      }
      events_.clear();
      connected_ = true;
      connection_ = corosync_.next_connection_++;
      side.daemon = this;
      side.connection = connection_;
      side.joined = false;
      SimCorosync::Entry entry;
      entry.kind = SimCorosync::Entry::Kind::join;
      entry.sender = node_;
      entry.connection = connection_;
      corosync_.send(node_, std::move(entry));
      reply(success());
    });
  };
  co_return co_await await_reply<Status>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<Status> SimGroup::multicast(std::string bytes) {
  std::function<void(Reply<Status>)> begin = [this, bytes = std::move(bytes)](Reply<Status> reply) {
    const bool full = corosync_.sides_[node_].unsent.size() > 100;
    const Time delay = full ? Time(2s) : Time(std::chrono::microseconds(20));
    scheduler_.after(owner_, delay, [this, reply, bytes, full]() {
      if (!connected_ || full) {
        reply(Error(ErrorCode::daemon_unreachable, "corosync takes no messages"));
        return;
      }
      SimCorosync::Entry entry;
      entry.sender = node_;
      entry.bytes = bytes;
      corosync_.send(node_, std::move(entry));
      reply(success());
    });
  };
  co_return co_await await_reply<Status>(scheduler_, owner_, std::move(begin));
}

boost::asio::awaitable<host::GroupEvent> SimGroup::next() {
  std::function<void(Reply<host::GroupEvent>)> begin = [this](Reply<host::GroupEvent> reply) {
    if (events_.empty()) {
      waiting_ = reply;
      return;
    }
    host::GroupEvent event = std::move(events_.front());
    events_.pop_front();
    reply(std::move(event));
  };
  co_return co_await await_reply<host::GroupEvent>(scheduler_, owner_, std::move(begin));
}

void SimGroup::leave() {
  if (!connected_) return;
  connected_ = false;
  SimCorosync::Side& side = corosync_.sides_[node_];
  if (side.daemon == this) {
    side.daemon = nullptr;
    side.joined = false;
    SimCorosync::Entry entry;
    entry.kind = SimCorosync::Entry::Kind::leave;
    entry.sender = node_;
    entry.connection = connection_;
    corosync_.send(node_, std::move(entry));
  }
  events_.clear();
  push(host::GroupLost{"left"});
}

}  // namespace mcv::sim
