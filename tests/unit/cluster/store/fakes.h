// SPDX-License-Identifier: Apache-2.0
// Small in-memory parts of a Host with a virtual clock, for one or two nodes in one loop.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <map>
#include <memory>
#include <random>
#include <set>

#include "cluster/host/host.h"
#include "cluster/store/mailbox.h"

namespace mcv::test {

namespace asio = boost::asio;
template <typename T>
using awaitable = asio::awaitable<T>;

using Tables = std::map<std::string, std::map<std::string, std::string>>;

inline void apply_batch(Tables& tables, const host::StoreBatch& batch) {
  for (const auto& range : batch.delete_ranges) {
    auto& table = tables[range.table];
    table.erase(table.lower_bound(range.first), table.upper_bound(range.last));
  }
  for (const auto& row : batch.deletes) tables[row.table].erase(row.key);
  for (const auto& row : batch.puts) tables[row.table][row.key] = row.value;
}

/// Time that passes only when nothing else is left to do.
class VirtualClock : public host::Clock {
 public:
  explicit VirtualClock(asio::io_context& loop) : loop_(loop) {}
  host::Instant now() const override { return now_; }
  std::int64_t wall_seconds() const override { return 1'700'000'000 + now_.since_boot.count() / 1'000'000'000; }
  awaitable<void> sleep_for(host::Duration duration) override {
    auto sleeper = std::make_shared<Mailbox<bool>>(loop_.get_executor());
    sleepers_.emplace(now_ + duration, sleeper);
    co_await sleeper->next();
  }

  /// Runs until `done` or until `bound` of virtual time has passed; false then, and when nothing is left to do.
  template <typename Done>
  bool run_until(Done done, host::Duration bound = std::chrono::seconds(60)) {
    const host::Instant end = now_ + bound;
    for (;;) {
      loop_.restart();
      while (!done() && loop_.poll_one() > 0) {
      }
      if (done()) return true;
      if (sleepers_.empty() || sleepers_.begin()->first > end) return false;
      now_ = std::max(now_, sleepers_.begin()->first);
      sleepers_.begin()->second->push(true);
      sleepers_.erase(sleepers_.begin());
    }
  }

  /// Runs one coroutine to its end and returns what it returns.
  template <typename T>
  T run(awaitable<T> task, host::Duration bound = std::chrono::seconds(120)) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(loop_, std::move(task), [&](std::exception_ptr error, T value) {
      failure = error;
      result = std::move(value);
    });
    if (!run_until([&] { return result.has_value() || failure; }, bound)) throw std::runtime_error("the coroutine did not end");
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }
  void run(awaitable<void> task) {
    bool done = false;
    std::exception_ptr failure;
    asio::co_spawn(loop_, std::move(task), [&](std::exception_ptr error) {
      failure = error;
      done = true;
    });
    if (!run_until([&] { return done; })) throw std::runtime_error("the coroutine did not end");
    if (failure) std::rethrow_exception(failure);
  }

 private:
  asio::io_context& loop_;
  host::Instant now_{std::chrono::hours(1)};
  std::multimap<host::Instant, std::shared_ptr<Mailbox<bool>>> sleepers_;
};

class MemoryStore : public host::Store {
 public:
  explicit MemoryStore(VirtualClock& clock) : clock_(clock) {}
  Tables tables;
  bool full = false;       ///< only batches that may use the reserve go through
  bool broken = false;     ///< fsync fails
  host::Duration delay{0};
  int commits = 0;

  awaitable<Status> commit(host::StoreBatch batch) override {
    if (delay > host::Duration::zero()) co_await clock_.sleep_for(delay);
    if (broken) co_return Error(ErrorCode::io_error, "fsync failed");
    if (full && !batch.may_use_reserve) co_return Error(ErrorCode::disk_full, "the disk is full");
    ++commits;
    apply_batch(tables, batch);
    co_return success();
  }
  awaitable<Result<std::optional<std::string>>> get(std::string table, std::string key) override {
    const auto found = tables[table].find(key);
    std::optional<std::string> value;
    if (found != tables[table].end()) value = found->second;
    co_return value;
  }
  awaitable<Result<std::vector<std::pair<std::string, std::string>>>> scan(std::string table, std::string first, std::size_t limit) override {
    std::vector<std::pair<std::string, std::string>> rows;
    for (auto row = tables[table].lower_bound(first); row != tables[table].end() && rows.size() < limit; ++row) rows.push_back(*row);
    co_return rows;
  }

 private:
  VirtualClock& clock_;
};

class SeededRandom : public host::Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

/// A group bus for up to two nodes: one total order while joined, cut and heal.
class GroupBus {
 public:
  explicit GroupBus(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  bool cut = false;

  class Channel : public host::GroupChannel {
   public:
    Channel(GroupBus& bus, host::NodeId id) : bus_(bus), id_(id), events_(bus.executor_) {}
    awaitable<Status> join() override {
      if (refuse_join) co_return Error(ErrorCode::daemon_unreachable, "corosync is not running");
      events_.clear();
      joined_ = true;
      bus_.channels_[id_] = this;
      bus_.announce();
      co_return success();
    }
    awaitable<Status> multicast(std::string bytes) override {
      if (!joined_) co_return Error(ErrorCode::connection_lost, "not joined");
      for (Channel* other : bus_.reachable(id_)) other->events_.push(host::GroupMessage{id_, bytes});
      co_return success();
    }
    awaitable<host::GroupEvent> next() override { return events_.next(); }
    void leave() override {
      if (!joined_) return;
      joined_ = false;
      bus_.channels_.erase(id_);
      events_.clear();
      events_.push(host::GroupLost{"left"});
      bus_.announce();
    }
    bool refuse_join = false;

   private:
    friend class GroupBus;
    GroupBus& bus_;
    host::NodeId id_;
    Mailbox<host::GroupEvent> events_;
    bool joined_ = false;
  };

  void announce() {
    for (const auto& [id, channel] : channels_) {
      host::GroupMembership membership;
      for (Channel* other : reachable(id)) membership.members.push_back(other->id_);
      channel->events_.push(membership);
    }
  }
  void set_cut(bool value) {
    cut = value;
    announce();
  }

 private:
  friend class Channel;
  std::vector<Channel*> reachable(host::NodeId from) {
    std::vector<Channel*> list;
    for (const auto& [id, channel] : channels_) {
      if (!cut || id == from) list.push_back(channel);
    }
    return list;
  }
  asio::any_io_executor executor_;
  std::map<host::NodeId, Channel*> channels_;
};

/// What the state layer must never touch.
class NoProcesses : public host::Processes {
 public:
  awaitable<Result<host::ProcessResult>> run(host::Command) override { co_return Error(ErrorCode::command_missing, "no processes here"); }
  awaitable<Result<std::unique_ptr<host::LineStream>>> stream(host::Argv) override { co_return Error(ErrorCode::command_missing, "no processes here"); }
};
class NoFiles : public host::Files {
 public:
  awaitable<Result<std::string>> read(std::string) override { co_return none(); }
  awaitable<Status> write_durably(std::string, std::string, unsigned) override { co_return none(); }
  awaitable<Status> write_in_place(std::string, std::string) override { co_return none(); }
  awaitable<Status> remove(std::string) override { co_return none(); }
  awaitable<Result<bool>> exists(std::string) override { co_return none(); }
  awaitable<Result<std::vector<std::string>>> list(std::string) override { co_return none(); }
  awaitable<Status> make_directory(std::string, unsigned) override { co_return none(); }
  awaitable<Result<std::string>> sha256(std::string) override { co_return none(); }

 private:
  static Error none() { return Error(ErrorCode::not_found, "no files here"); }
};
class NoSockets : public host::UnixSockets {
 public:
  awaitable<Result<std::unique_ptr<host::ByteStream>>> connect(std::string) override { co_return Error(ErrorCode::not_found, "no sockets here"); }
  awaitable<Result<host::HttpResponse>> http(std::string, host::HttpRequest, std::chrono::milliseconds) override {
    co_return Error(ErrorCode::not_found, "no sockets here");
  }
  Status send_datagram(const std::string&, const std::string&) override { return Error(ErrorCode::not_found, "no sockets here"); }
};
class NoPeers : public host::PeerNetwork {
 public:
  host::KeyFingerprint own_fingerprint() const override { return {}; }
  awaitable<Result<host::HttpResponse>> call(host::PeerEndpoint, host::HttpRequest, std::chrono::milliseconds) override {
    co_return Error(ErrorCode::peer_unreachable, "no peers here");
  }
  awaitable<bool> answers(host::PeerEndpoint, std::chrono::milliseconds) override { co_return false; }
  awaitable<Result<host::PeerReply>> upgrade(host::PeerEndpoint, host::HttpRequest, std::chrono::milliseconds) override {
    co_return Error(ErrorCode::peer_unreachable, "no peers here");
  }
  Status listen(std::string, std::uint16_t, host::PeerHandler) override { return success(); }
};

/// One node's Host. The store outlives a daemon's crash, as a disk does.
struct TestNode {
  TestNode(asio::io_context& loop, VirtualClock& clock, GroupBus& bus, std::string name, host::NodeId id)
      : random(id * 1000), store(clock), group(bus, id), host{loop.get_executor(), clock, random, processes, files, store, sockets, peers, group, std::move(name)} {}
  SeededRandom random;
  NoProcesses processes;
  NoFiles files;
  MemoryStore store;
  NoSockets sockets;
  NoPeers peers;
  GroupBus::Channel group;
  host::Host host;
};

}  // namespace mcv::test
