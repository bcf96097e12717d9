// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "../store/fakes.h"
#include "cluster/membership/corosync_config.h"
#include "cluster/membership/corosync_service.h"
#include "cluster/membership/peer_view.h"
#include "cluster/membership/ring_members.h"

namespace mcv {
namespace {

template <typename T>
using awaitable = boost::asio::awaitable<T>;

std::string golden(const char* name) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/corosync/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

NodeRecord node(const char* name, std::uint32_t id, const char* address) {
  NodeRecord record;
  record.name = NodeName::trusted(name);
  record.id = id;
  record.cluster_address = address;
  return record;
}

ClusterState two_nodes() {
  ClusterState state;
  EXPECT_TRUE(state.apply({"1", "", {put_new(node("A", 1, "10.77.0.11"))}}, 3).ok());
  EXPECT_TRUE(state.apply({"2", "", {put_new(node("B", 2, "10.77.0.12"))}}, 7).ok());
  return state;
}

TEST(CorosyncConfig, IsTheGoldenTextForTwoNodes) {
  const auto config = corosync_config_of(two_nodes());
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(render_corosync_conf(*config), golden("two-nodes.conf"));
}

TEST(CorosyncConfig, TakesTimersFromSettingsAndRaisesItsVersion) {
  ClusterState state = two_nodes();
  ASSERT_TRUE(state.apply({"3", "", {put_setting(state, "corosync.token_ms", "3000")}}, 9).ok());
  const auto config = corosync_config_of(state);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->timers.token, std::chrono::milliseconds(3000));
  EXPECT_EQ(config->version, 9u);
}

TEST(CorosyncConfig, RefusesWhatCorosyncCouldNotRunWith) {
  ClusterState one;
  ASSERT_TRUE(one.apply({"1", "", {put_new(node("A", 1, "10.77.0.11"))}}, 1).ok());
  EXPECT_FALSE(corosync_config_of(one).ok());
  ClusterState no_address = one;
  ASSERT_TRUE(no_address.apply({"2", "", {put_new(node("B", 2, ""))}}, 2).ok());
  EXPECT_EQ(corosync_config_of(no_address).error().next(), "on B: hvctl node --set-ip-address ADDRESS");
  ClusterState same = one;
  ASSERT_TRUE(same.apply({"2", "", {put_new(node("B", 2, "10.77.0.11"))}}, 2).ok());
  EXPECT_FALSE(corosync_config_of(same).ok());
  ClusterState wrong = two_nodes();
  ASSERT_TRUE(wrong.apply({"3", "", {put_setting(wrong, "corosync.token_ms", "1s")}}, 9).ok());
  EXPECT_FALSE(corosync_config_of(wrong).ok());
}

class MemoryFiles : public test::NoFiles {
 public:
  std::map<std::string, std::pair<std::string, unsigned>> files;
  int writes = 0;
  awaitable<Result<std::string>> read(std::string path) override {
    const auto found = files.find(path);
    if (found == files.end()) co_return Error(ErrorCode::not_found, "no such file");
    co_return found->second.first;
  }
  awaitable<Status> write_durably(std::string path, std::string text, unsigned mode) override {
    ++writes;
    files[path] = {std::move(text), mode};
    co_return success();
  }
  awaitable<Status> remove(std::string path) override {
    files.erase(path);
    co_return success();
  }
};

class RecordingProcesses : public test::NoProcesses {
 public:
  std::vector<std::string> lines;
  awaitable<Result<host::ProcessResult>> run(host::Command command) override {
    lines.push_back(host::to_shell_line(command.argv));
    co_return host::ProcessResult();
  }
};

TEST(CorosyncService, WritesKeyAndConfigurationOnceAndRestartsOnlyAfterAChange) {
  boost::asio::io_context loop;
  test::VirtualClock clock(loop);
  MemoryFiles files;
  RecordingProcesses processes;
  test::SeededRandom random(1);
  const std::string key = make_corosync_key(random);
  EXPECT_EQ(key.size(), 256u);
  const CorosyncConfig config = *corosync_config_of(two_nodes());
  const auto first = clock.run(ensure_corosync_configured(files, config, key));
  EXPECT_EQ(*first, Written::yes);
  EXPECT_EQ(files.files["/etc/corosync/authkey"], std::make_pair(key, 0400u));
  EXPECT_EQ(files.files["/etc/corosync/corosync.conf"].first, golden("two-nodes.conf"));
  EXPECT_EQ(*clock.run(ensure_corosync_configured(files, config, key)), Written::no);
  EXPECT_EQ(files.writes, 2);
  EXPECT_TRUE(clock.run(ensure_corosync_running(processes, Written::yes)).ok());
  EXPECT_TRUE(clock.run(ensure_corosync_running(processes, Written::no)).ok());
  EXPECT_TRUE(clock.run(ensure_corosync_gone(processes, files)).ok());
  const std::vector<std::string> wanted = {"systemctl restart corosync", "systemctl start corosync", "systemctl stop corosync"};
  EXPECT_EQ(processes.lines, wanted);
  EXPECT_TRUE(files.files.empty());
}

TEST(RingMembers, AreThoseWhoJoinedAndNobodyWhenCorosyncDoesNotSay) {
  const std::string both = "runtime.members.1.config_version (u64) = 0\nruntime.members.1.ip (str) = r(0) ip(10.77.0.11) \n"
                           "runtime.members.1.join_count (u32) = 1\nruntime.members.1.status (str) = joined\n"
                           "runtime.members.2.ip (str) = r(0) ip(10.77.0.12) \nruntime.members.2.status (str) = joined\n";
  EXPECT_EQ(parse_ring_members(both), (std::set<std::uint32_t>{1, 2}));
  std::string left = both;
  left.replace(left.rfind("joined"), 6, "left");
  EXPECT_EQ(parse_ring_members(left), (std::set<std::uint32_t>{1}));
  // This node is always a member: a text without any is no answer.
  for (const char* text : {"", "\n", "runtime.members.1.status (str) = left\n", "runtime.members.x.status (str) = joined\n", "Failed to initialize the cmap API"}) {
    EXPECT_FALSE(parse_ring_members(text)) << text;
  }
}

TEST(PeerView, TellsSinceWhenAndNeverMoreThanItKnows) {
  const auto at = [](int seconds) { return host::Instant{std::chrono::seconds(seconds)}; };
  PeerView view(at(1));
  EXPECT_EQ(view.text(), "offline");
  EXPECT_TRUE(view.group(true, at(2)));
  EXPECT_TRUE(view.answered(true, at(3)));
  EXPECT_FALSE(view.answered(true, at(4)));
  EXPECT_EQ(view.status().since, at(3));
  EXPECT_EQ(view.text(), "online");
  EXPECT_TRUE(view.group(false, at(5)));
  EXPECT_EQ(view.text(), "corosync down");
}

}  // namespace
}  // namespace mcv
