// SPDX-License-Identifier: Apache-2.0
// Two nodes with SharedState over fakes, as after a join.
#pragma once

#include <gtest/gtest.h>

#include "cluster/store/shared_state.h"
#include "fakes.h"
#include "log_pair.h"

namespace mcv::test {

using namespace std::chrono_literals;

inline Change set(const std::string& key, const std::string& value) {
  return {"", "set " + key, {{Kind::setting, key, std::nullopt, Json(value)}}};
}

class PairTest : public ::testing::Test {
 protected:
  ~PairTest() override {
    for (auto* node : {&state_a, &state_b}) {
      if (*node) clock.run((*node)->stop());
    }
  }
  void load_a() {
    state_a = std::make_unique<SharedState>(a.host);
    ASSERT_TRUE(clock.run(state_a->load()).ok());
  }
  void load_b() {
    state_b = std::make_unique<SharedState>(b.host);
    ASSERT_TRUE(clock.run(state_b->load()).ok());
  }
  /// A as a cluster of one that added B, B with A's configuration, both in the group.
  void join() {
    load_a();
    load_b();
    connect();
  }
  void connect() {
    ASSERT_TRUE(clock.run(state_a->initialise()).ok());
    ASSERT_TRUE(clock.run(state_a->propose({"", "node A", {put_new(record("A", 1))}})).ok());
    ASSERT_TRUE(clock.run(state_a->propose({"", "node B", {put_new(record("B", 2))}})).ok());
    ASSERT_TRUE(clock.run(state_b->adopt(state_a->snapshot())).ok());
    ASSERT_TRUE(clock.run(state_a->start_group()).ok());
    ASSERT_TRUE(clock.run(state_b->start_group()).ok());
    ASSERT_TRUE(clock.run(state_a->wait_together(5000ms)));
    ASSERT_TRUE(clock.run(state_b->wait_together(5000ms)));
  }
  /// The daemon is gone without a word; its store stays.
  void stop(std::unique_ptr<SharedState>& state) {
    clock.run(state->stop());
    state.reset();
  }

  boost::asio::io_context loop;
  test::VirtualClock clock{loop};
  test::GroupBus bus{loop.get_executor()};
  TestNode a{loop, clock, bus, "A", 1};
  TestNode b{loop, clock, bus, "B", 2};
  std::unique_ptr<SharedState> state_a, state_b;
};

}  // namespace mcv::test
