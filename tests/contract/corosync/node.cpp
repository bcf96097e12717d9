// SPDX-License-Identifier: Apache-2.0
// One node of the contract test: the real group channel, store and shared state, told what to do on standard input.
// NAME DATABASE [FORMAT]: the newest format its build knows. Each command line is answered by one line of JSON, proposals when they are decided.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "cluster/core/task_group.h"
#include "cluster/membership/corosync_config.h"
#include "cluster/store/node_records.h"
#include "cluster/store/shared_state.h"
#include "daemon/host/corosync/cpg_channel.h"
#include "daemon/host/sqlite/sqlite_store.h"

namespace mcv {
namespace {

namespace asio = boost::asio;

class BootClock : public host::Clock {
 public:
  host::Instant now() const override {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return {std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
  }
  std::int64_t wall_seconds() const override { return std::time(nullptr); }
  asio::awaitable<void> sleep_for(host::Duration duration) override {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
    co_await timer.async_wait(asio::use_awaitable);
  }
};

class DeviceRandom : public host::Random {
 public:
  std::uint64_t next() override { return (std::uint64_t{device_()} << 32) | device_(); }

 private:
  std::random_device device_;
};

// The parts of a Host that the state layer does not use.
template <typename T>
T& unused() {
  static std::aligned_storage_t<sizeof(void*), alignof(void*)> nothing;
  return reinterpret_cast<T&>(nothing);
}

void say(const Json& json) { std::cout << json.dump() << std::endl; }

Json error_json(const Error& error) { return {{"error", to_text(error.code())}, {"text", error.message()}, {"next", error.next()}}; }

struct Node {
  Node(asio::io_context& loop, std::string name, host::Store& the_store, Abilities abilities)
      : group(loop.get_executor()),
        host{loop.get_executor(), clock, random, unused<host::Processes>(), unused<host::Files>(), the_store, unused<host::UnixSockets>(),
             unused<host::PeerNetwork>(), group, std::move(name)},
        shared(host, std::move(abilities)), records(host, shared), tasks(loop.get_executor()) {}
  BootClock clock;
  DeviceRandom random;
  host::CpgChannel group;
  host::Host host;
  SharedState shared;
  NodeRecords records;
  TaskGroup tasks;
};

Json status(Node& node) {
  const Link link = node.shared.link();
  const Position position = node.shared.position();
  return {{"link", to_text(link.state)}, {"reason", link.reason}, {"peer_in_group", link.peer_in_group}, {"index", position.index},
          {"hash", position.hash}, {"state", node.shared.current().hash()}, {"generation", position.generation.counter},
          {"records", node.records.read("step").size()}, {"format", format_of(node.shared.current())}};
}

asio::awaitable<void> propose(Node& node, std::string tag, std::string key, std::string value) {
  Mutation mutation;
  mutation.key = key;
  mutation.value = Json(value);
  Change change;
  change.id = tag;
  change.summary = "set " + key;
  change.mutations.push_back(std::move(mutation));
  const host::Instant begin = node.clock.now();
  const auto result = co_await node.shared.propose(std::move(change));
  const double took = std::chrono::duration<double, std::milli>(node.clock.now() - begin).count();
  Json answer = result.ok() ? Json{{"index", result->index}, {"hash", result->hash}, {"both", result->on_both_nodes}} : error_json(result.error());
  answer["tag"] = tag;
  answer["ms"] = took;
  say(answer);
}

/// Change after change, each printed when it was promised.
asio::awaitable<void> load_forever(Node& node, std::string prefix) {
  for (int number = 0;; ++number) {
    std::string tag = prefix + std::to_string(number);
    co_await propose(node, tag, tag, "v");
  }
}

asio::awaitable<void> serve(Node& node) {
  const Status loaded = co_await node.shared.load();
  if (!loaded.ok()) {
    say(error_json(loaded.error()));
    co_return;
  }
  const Status records_loaded = co_await node.records.load();
  say(records_loaded.ok() ? status(node) : error_json(records_loaded.error()));
  asio::posix::stream_descriptor input(co_await asio::this_coro::executor, ::dup(0));
  std::string buffer;
  for (;;) {
    auto dynamic = asio::dynamic_buffer(buffer);
    boost::system::error_code ended;
    auto token = asio::redirect_error(asio::use_awaitable, ended);
    const std::size_t size = co_await asio::async_read_until(input, dynamic, '\n', token);
    if (ended) co_return;
    std::istringstream line(buffer.substr(0, size));
    buffer.erase(0, size);
    std::string word, first, second, third;
    line >> word >> first >> second >> third;
    if (word == "status") {
      say(status(node));
    } else if (word == "init") {
      const Status done = co_await node.shared.initialise();
      say(done.ok() ? status(node) : error_json(done.error()));
    } else if (word == "nodes") {
      Change change;
      change.summary = "two nodes";
      for (const auto& [id, address] : {std::pair(1u, first), std::pair(2u, second)}) {
        NodeRecord record;
        record.name = NodeName::trusted(id == 1 ? "A" : "B");
        record.id = id;
        record.cluster_address = address;
        change.mutations.push_back(put_new(record));
      }
      const auto done = co_await node.shared.propose(std::move(change));
      say(done.ok() ? status(node) : error_json(done.error()));
    } else if (word == "conf") {
      // What the product would write, for the corosync of this test.
      const auto config = corosync_config_of(node.shared.current());
      std::ofstream(first) << render_corosync_conf(*config);
      std::ofstream(second, std::ios::binary) << make_corosync_key(node.random);
      say(Json{{"written", true}});
    } else if (word == "snapshot") {
      std::ofstream(first) << node.shared.snapshot().dump();
      say(Json{{"written", true}});
    } else if (word == "adopt") {
      std::ifstream file(first);
      std::stringstream text;
      text << file.rdbuf();
      Json snapshot = Json::parse(text.str());
      const Status done = co_await node.shared.adopt(std::move(snapshot));
      say(done.ok() ? status(node) : error_json(done.error()));
    } else if (word == "start") {
      const Status done = co_await node.shared.start_group();
      say(done.ok() ? status(node) : error_json(done.error()));
    } else if (word == "propose") {
      node.tasks.spawn(propose(node, first, second, third));
    } else if (word == "load") {
      node.tasks.spawn(load_forever(node, first));
    } else if (word == "outcome") {
      const auto outcome = co_await node.shared.outcome(first);
      say(Json{{"outcome", to_text(outcome->state)}});
    } else if (word == "append") {
      Json body = first;
      const auto there = co_await node.records.append("step", std::move(body));
      say(Json{{"there", there.ok() && *there}});
    } else if (word == "take") {
      const auto taken = co_await node.shared.take_generation("contract test");
      say(taken.ok() ? status(node) : error_json(taken.error()));
    }
  }
}

}  // namespace
}  // namespace mcv

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  mcv::Abilities abilities;
  if (argc == 4) abilities.format = std::stoull(argv[3]);
  boost::asio::io_context loop;
  auto store = mcv::host::SqliteStore::open(loop.get_executor(), {argv[2], 1 << 20});
  if (!store.ok()) {
    std::cerr << store.error().to_text() << "\n";
    return 1;
  }
  mcv::Node node(loop, argv[1], **store, std::move(abilities));
  boost::asio::co_spawn(loop, mcv::serve(node), [&](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
    std::cout.flush();
    ::_exit(0);
  });
  loop.run();
  return 0;
}
