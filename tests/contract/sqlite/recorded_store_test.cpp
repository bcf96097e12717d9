// SPDX-License-Identifier: Apache-2.0
// Stores of real runs of earlier builds (tests/data/store, recorded by tests/lab/record_store.py): this build opens a copy, finds
// everything, goes on, and reads back what it wrote.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cluster/plan/journal.h"
#include "cluster/store/node_records.h"
#include "cluster/store/shared_state.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/sqlite/sqlite_store.h"
#include "fakes.h"
#include "on_loop.h"

namespace mcv {
namespace {

namespace asio = boost::asio;
using test::on_loop;

std::vector<std::string> recorded() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(MCV_RECORDED_STORES)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One life of what a daemon has of the store.
struct Life {
  Life(asio::io_context& loop, host::Store& the_store, std::string name)
      : store(the_store),
        clock(loop.get_executor()),
        bus(loop.get_executor()),
        group(bus, 1),
        host{loop.get_executor(), clock, random, processes, files, store, sockets, peers, group, std::move(name)},
        shared(host),
        records(host, shared) {}
  host::Store& store;
  host::RealClock clock;
  test::SeededRandom random{1};
  test::NoProcesses processes;
  test::NoFiles files;
  test::NoSockets sockets;
  test::NoPeers peers;
  test::GroupBus bus;
  test::GroupBus::Channel group;
  host::Host host;
  SharedState shared;
  NodeRecords records;
};

class RecordedStore : public testing::TestWithParam<std::string> {
 protected:
  RecordedStore() {
    char name[] = "/var/tmp/mcv-recorded-XXXXXX";
    directory_ = ::mkdtemp(name);
    const std::string from = std::string(MCV_RECORDED_STORES) + "/" + GetParam();
    std::filesystem::copy_file(from + "/store.sqlite", file());
    expected = *parse_json(read(from + "/expected.json"));
  }
  ~RecordedStore() override {
    close();
    std::filesystem::remove_all(directory_);
  }
  std::string file() const { return directory_ + "/store.sqlite"; }

  void open() {
    close();
    auto opened = host::SqliteStore::open(loop.get_executor(), {file(), 65536});
    ASSERT_TRUE(opened.ok()) << opened.error().to_text();
    store = std::move(*opened);
    life = std::make_unique<Life>(loop, *store, expected.at("node").get<std::string>());
    const Status loaded = on_loop(loop, life->shared.load());
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_text();
    const Status read_back = on_loop(loop, life->records.load());
    ASSERT_TRUE(read_back.ok()) << read_back.error().to_text();
  }
  void close() {
    if (life) {
      on_loop(loop, life->records.stop());
      on_loop(loop, life->shared.stop());
    }
    life.reset();
    store.reset();
  }
  std::vector<std::pair<std::string, std::string>> rows(const std::string& table) { return *on_loop(loop, store->scan(table, "", 100'000)); }

  asio::io_context loop;
  Json expected;
  std::unique_ptr<host::SqliteStore> store;
  std::unique_ptr<Life> life;

 private:
  std::string directory_;
};

INSTANTIATE_TEST_SUITE_P(Each, RecordedStore, testing::ValuesIn(recorded()), [](const auto& each) {
  std::string name = each.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST(RecordedStores, AreThere) { EXPECT_FALSE(recorded().empty()); }

TEST_P(RecordedStore, IsOpenedWithEverythingThatWasInIt) {
  open();
  const Position position = life->shared.position();
  EXPECT_EQ(position.generation.counter, expected.at("generation").get<std::uint64_t>());
  EXPECT_EQ(position.index, expected.at("index").get<std::uint64_t>());
  EXPECT_EQ(position.hash, expected.at("hash").get<std::string>());
  EXPECT_EQ(life->shared.current().hash(), expected.at("state").get<std::string>());
  EXPECT_EQ(format_of(life->shared.current()), expected.at("format").get<std::uint64_t>());
  EXPECT_EQ(rows("log").size(), expected.at("entries").get<std::size_t>());
  for (const auto& [kind, count] : expected.at("records").items()) EXPECT_EQ(life->records.read(kind).size(), count.get<std::size_t>()) << kind;
  const auto journal = on_loop(loop, Journal(*store).load());
  ASSERT_TRUE(journal.ok()) << journal.error().to_text();
  EXPECT_EQ(journal->operations.size(), expected.at("operations").get<std::size_t>());
  // The records themselves are understood, not only carried.
  const ClusterState& state = life->shared.current();
  EXPECT_EQ(state.nodes().size(), state.all(Kind::node).size());
  EXPECT_EQ(state.vms().size(), state.all(Kind::vm).size());
  EXPECT_EQ(state.volumes().size(), state.all(Kind::volume).size());
}

TEST_P(RecordedStore, GoesOnAndReadsBackWhatItWrote) {
  open();
  const auto before = rows("log");
  const Position then = life->shared.position();
  if (life->shared.link().state == LinkState::apart) {
    const auto taken = on_loop(loop, life->shared.take_generation("recorded"));
    ASSERT_TRUE(taken.ok()) << taken.error().to_text();
  }
  const auto done = on_loop(loop, life->shared.propose({"", "set k", {{Kind::setting, "k", std::nullopt, Json("v")}}}));
  ASSERT_TRUE(done.ok()) << done.error().to_text();
  ASSERT_TRUE(on_loop(loop, life->records.append("step", Json("one more"))).ok());
  const std::string state = life->shared.current().hash();
  const Position position = life->shared.position();
  EXPECT_GT(position.index, then.index);
  open();
  EXPECT_EQ(life->shared.position(), position);
  EXPECT_EQ(life->shared.current().hash(), state);
  EXPECT_EQ(life->shared.current().setting("k"), "v");
  ASSERT_FALSE(life->records.read_own("step").empty());
  EXPECT_EQ(life->records.read_own("step").back().body, Json("one more"));
  const auto after = rows("log");
  ASSERT_GT(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin())) << "what was written before is never written again";
}

TEST_P(RecordedStore, IsTakenWholeByANodeThatJoins) {
  open();
  const Json snapshot = life->shared.snapshot();
  const std::string state = life->shared.current().hash();
  asio::io_context other_loop;
  test::VirtualClock clock(other_loop);
  test::MemoryStore blank(clock);
  Life joining(other_loop, blank, "joining");
  ASSERT_TRUE(on_loop(other_loop, joining.shared.load()).ok());
  const Status adopted = on_loop(other_loop, joining.shared.adopt(snapshot));
  ASSERT_TRUE(adopted.ok()) << adopted.error().to_text();
  EXPECT_EQ(joining.shared.current().hash(), state);
  EXPECT_EQ(joining.shared.position(), life->shared.position());
  on_loop(other_loop, joining.shared.stop());
}

TEST_P(RecordedStore, OfALayoutToComeIsNotTouched) {
  // "user_version" of SQLite's header, big-endian, at byte 60.
  std::fstream(file(), std::ios::in | std::ios::out | std::ios::binary).seekp(63).put(99);
  const std::string before = read(file());
  const auto opened = host::SqliteStore::open(loop.get_executor(), {file(), 65536});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::format_unknown) << opened.error().to_text();
  EXPECT_EQ(read(file()), before);
}

}  // namespace
}  // namespace mcv
