// SPDX-License-Identifier: Apache-2.0
// A pool that fills up, or goes away, is told by either node within two looks, without a tool in the question.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/log/event_log.h"
#include "daemon/node/pool_watch.h"
#include "two_nodes.h"

namespace mcv::test::pool_watch_test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class PoolWatched : public testing::Test {
 protected:
  static constexpr std::size_t a = TwoNodes::a;
  static constexpr std::size_t b = TwoNodes::b;
  static constexpr std::uint64_t block = 4096;
  static constexpr std::uint64_t blocks_in_pool = 10000;
  static constexpr std::uint64_t metadata_of_drbd = 1024;  ///< blocks: the extent of its LV

  PoolWatched() {
    nodes_.make_cluster();
    nodes_.create_vm("vm1");
    set_event_sink([this](const LogEvent& event) {
      for (const auto& [name, value] : event.fields) {
        if (name == log_fields::kind && value == "pool") events_.push_back(event.message);
      }
    });
    nodes_.machine(b).lvm.volumes.at("vg0/mcv-fast").size = blocks_in_pool * block;
  }
  ~PoolWatched() override { set_event_sink({}); }

  /// So many of the pool's blocks on B are mapped.
  void fill(std::uint64_t percent) {
    auto& blocks = nodes_.machine(b).lvm.volumes.at("vg0/mcv-vm1-0").blocks;
    blocks.clear();
    for (std::uint64_t number = 0; number + metadata_of_drbd < blocks_in_pool * percent / 100; ++number) blocks[number] = 1;
    nodes_.pass(2 * PoolWatch::pause);
  }

  std::vector<std::string> warnings(std::size_t asked) {
    std::vector<std::string> found;
    const TwoNodes::Answer answer = nodes_.ask(asked, "GET", "/v1/info");
    EXPECT_TRUE(answer.ok());
    for (const Json& warning : answer.body.at("warnings")) {
      const std::string code = warning.at("code").get<std::string>();
      if (code.starts_with("pool-")) found.push_back(code + ": " + warning.at("text").get<std::string>() + "; " + warning.at("next").get<std::string>());
    }
    return found;
  }

  TwoNodes nodes_;
  std::vector<std::string> events_;
};

TEST_F(PoolWatched, IsToldByEitherNodeAndOnceInTheJournal) {
  fill(50);
  EXPECT_TRUE(warnings(a).empty());
  EXPECT_TRUE(events_.empty());
  fill(85);
  for (const std::size_t asked : {a, b}) {
    ASSERT_EQ(warnings(asked).size(), 1u);
    EXPECT_THAT(warnings(asked)[0], HasSubstr("pool-full: storage pool fast on B fills up: data 85.0 %"));
    EXPECT_THAT(warnings(asked)[0], HasSubstr("on B: lvextend --size +10G vg0/mcv-fast"));
  }
  nodes_.pass(5 * PoolWatch::pause);
  ASSERT_EQ(events_.size(), 1u) << "told when it changes, not at every look";
  fill(96);
  EXPECT_THAT(warnings(a), testing::ElementsAre(HasSubstr("guests write to the other node alone")));
  fill(10);
  EXPECT_TRUE(warnings(a).empty());
  ASSERT_EQ(events_.size(), 3u);
  EXPECT_THAT(events_[2], HasSubstr("has room again"));
}

TEST_F(PoolWatched, APoolThatIsGoneIsToldOfItsNode) {
  nodes_.machine(b).lvm.volumes.erase("vg0/mcv-fast");
  nodes_.pass(2 * PoolWatch::pause);
  for (const std::size_t asked : {a, b}) EXPECT_THAT(warnings(asked), testing::ElementsAre(HasSubstr("pool-missing: storage pool fast on B: ")));
}

// A queueing pool holds writes for a minute, and the other copy's guest with them.
TEST_F(PoolWatched, APoolThatLetsWritesWaitIsToldWithTheCommandAndTakesNothingNew) {
  nodes_.machine(b).lvm.volumes.at("vg0/mcv-fast").fails_when_full = false;
  nodes_.pass(2 * PoolWatch::pause);
  for (const std::size_t asked : {a, b}) {
    ASSERT_EQ(warnings(asked).size(), 1u);
    EXPECT_THAT(warnings(asked)[0], HasSubstr("pool-waits-when-full: storage pool fast on B lets writes wait when it is full"));
    EXPECT_THAT(warnings(asked)[0], HasSubstr("on B: lvchange --errorwhenfull y vg0/mcv-fast"));
  }
  const Json disk = {{"size", std::uint64_t{64} << 20}};
  const Json vm = {{"name", "vm2"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array({disk})}, {"storage_type", "drbd"}, {"networks", Json::array()}, {"hypervisor", "qemu"}};
  EXPECT_FALSE(nodes_.command(a, "POST", "/v1/vms", vm));
  EXPECT_FALSE(nodes_.machine(b).lvm.volumes.contains("vg0/mcv-vm2-0"));
  EXPECT_FALSE(nodes_.machine(a).lvm.volumes.contains("vg0/mcv-vm2-0")) << "undone on the other node as well";
  ASSERT_EQ(events_.size(), 1u) << "told when it changes, not at every look";
  fill(96);
  EXPECT_THAT(warnings(a), testing::ElementsAre(HasSubstr("pool-waits-when-full: "), HasSubstr("pool-full: storage pool fast on B fills up: data 96.0 %"))) << "neither hides the other";
  fill(10);
  nodes_.machine(b).lvm.volumes.at("vg0/mcv-fast").fails_when_full = true;
  nodes_.pass(2 * PoolWatch::pause);
  EXPECT_TRUE(warnings(a).empty());
  EXPECT_THAT(events_.back(), HasSubstr("fails writes at once"));
  EXPECT_TRUE(nodes_.command(a, "POST", "/v1/vms", vm));
}

TEST_F(PoolWatched, APoolThatWasDeletedIsForgotten) {
  nodes_.must(a, "DELETE", "/v1/vms/vm1", Json());
  nodes_.machine(b).lvm.volumes.at("vg0/mcv-fast").size = 1u << 30;
  nodes_.must(a, "DELETE", "/v1/storage/fast", Json());
  nodes_.pass(2 * PoolWatch::pause);
  EXPECT_TRUE(warnings(a).empty());
  EXPECT_TRUE(events_.empty());
}

}  // namespace
}  // namespace mcv::test::pool_watch_test
