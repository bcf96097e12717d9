// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/operations.h"

#include <gtest/gtest.h>

#include "world/plan_sim.h"

namespace mcv {
namespace {

using sim::PlanFaults;
using sim::PlanSim;
using namespace std::chrono_literals;

/// Two booted nodes; the tests talk to A.
struct OperationsTest : testing::Test {
  OperationsTest() : sim(1, PlanFaults{}) {
    sim.boot(0);
    sim.boot(1);
    sim.scheduler().run_until([] { return false; }, 100ms);
  }
  OperationId submit(Plan plan) {
    const auto answer = sim::start(sim.clients(0), sim.operations(0).submit(std::move(plan)));
    sim.scheduler().run_until([&] { return answer->has_value(); }, 10s);
    EXPECT_TRUE((*answer)->ok());
    return ***answer;
  }
  template <typename T>
  T finish(boost::asio::awaitable<T> work) {
    const auto answer = sim::start(sim.clients(0), std::move(work));
    EXPECT_TRUE(sim.scheduler().run_until([&] { return answer->has_value(); }, 3600s));
    return **answer;
  }
  OperationView end_of(const OperationId& id) { return *finish(sim.operations(0).wait_end(id)); }
  PlanSim sim;
};

TEST_F(OperationsTest, AnotherOperationOnTheObjectIsRefusedWithTheCommandToWatch) {
  const OperationId first = submit(PlanSim::plan("vm/vm1", 4, 1));
  const Result<OperationId> second = finish(sim.operations(0).submit(PlanSim::plan("vm/vm1", 2, std::nullopt)));
  ASSERT_EQ(second.error().code(), ErrorCode::busy);
  EXPECT_EQ(second.error().next(), "hvctl op watch " + first.str());
  const OperationId other = submit(PlanSim::plan("vm/vm2", 2, std::nullopt));
  EXPECT_EQ(end_of(first).outcome, OperationOutcome::succeeded);
  EXPECT_EQ(end_of(other).outcome, OperationOutcome::succeeded);
  EXPECT_EQ(end_of(submit(PlanSim::plan("vm/vm1", 2, std::nullopt))).outcome, OperationOutcome::succeeded);
}

TEST_F(OperationsTest, SeveralWatchersSeeEveryStepOfItsState) {
  const OperationId id = submit(PlanSim::plan("vm/vm1", 3, std::nullopt));
  std::uint64_t seen = 0;
  std::size_t changes = 0;
  for (;;) {
    const auto other = sim::start(sim.clients(0), sim.operations(0).next_change(id, seen));
    const OperationView view = *finish(sim.operations(0).next_change(id, seen));
    sim.scheduler().run_until([&] { return other->has_value(); }, 1s);
    ASSERT_TRUE(other->has_value());
    EXPECT_EQ((**other)->version, view.version);
    EXPECT_GT(view.version, seen);
    seen = view.version;
    ++changes;
    if (view.final()) break;
  }
  EXPECT_GE(changes, 4u);
}

TEST_F(OperationsTest, ACancelBeforeTheCommitLeavesNothing) {
  const OperationId id = submit(PlanSim::plan("vm/vm1", 6, 5));
  sim.scheduler().run_until([&] { return sim.effects_of("vm/vm1").size() >= 2; }, 10s);
  EXPECT_TRUE(finish(sim.operations(0).cancel(id)).ok());
  const OperationView view = end_of(id);
  EXPECT_EQ(view.outcome, OperationOutcome::cancelled);
  EXPECT_FALSE(view.error.has_value());
  EXPECT_TRUE(sim.effects_of("vm/vm1").empty());
  EXPECT_EQ(finish(sim.operations(0).cancel(id)).error().code(), ErrorCode::operation_ended);
}

TEST_F(OperationsTest, ACancelAfterTheCommitIsRefusedAndItCompletes) {
  const OperationId id = submit(PlanSim::plan("vm/vm1", 6, 0));
  sim.scheduler().run_until([&] { return sim.effects_of("vm/vm1").size() >= 2; }, 10s);
  EXPECT_EQ(finish(sim.operations(0).cancel(id)).error().code(), ErrorCode::busy);
  EXPECT_EQ(end_of(id).outcome, OperationOutcome::succeeded);
}

TEST_F(OperationsTest, WhatWaitsForThePeerSaysSoCanBeGivenUpAndRetried) {
  const OperationId id = submit(PlanSim::plan("vm/vm1", 4, 0));
  sim.scheduler().run_until([&] { return sim.effects_of("vm/vm1").size() == 1; }, 10s);
  sim.crash(1);
  sim.scheduler().run_until([&] { return sim.operations(0).get(id)->progress.starts_with("waiting to finish"); }, 100s);
  EXPECT_FALSE(sim.operations(0).get(id)->final());
  EXPECT_TRUE(finish(sim.operations(0).cancel(id)).ok());
  const OperationView given_up = end_of(id);
  EXPECT_EQ(given_up.outcome, OperationOutcome::failed);
  EXPECT_EQ(given_up.error->next(), "hvctl op retry " + id.str());
  sim.boot(1);
  EXPECT_TRUE(finish(sim.operations(0).retry(id)).ok());
  EXPECT_EQ(end_of(id).outcome, OperationOutcome::succeeded);
  EXPECT_EQ(sim.effects_of("vm/vm1").size(), 4u);
}

TEST_F(OperationsTest, ALaterOperationOnTheObjectMakesAFailedOneFinal) {
  const OperationId failed = submit(PlanSim::plan("vm/vm1", 4, 0));
  sim.scheduler().run_until([&] { return sim.effects_of("vm/vm1").size() == 1; }, 10s);
  sim.crash(1);
  sim.scheduler().run_until([&] { return sim.operations(0).get(failed)->progress.starts_with("waiting"); }, 100s);
  ASSERT_TRUE(finish(sim.operations(0).cancel(failed)).ok());
  ASSERT_EQ(end_of(failed).outcome, OperationOutcome::failed);
  sim.boot(1);
  EXPECT_EQ(end_of(submit(PlanSim::plan("vm/vm1", 2, std::nullopt))).outcome, OperationOutcome::succeeded);
  EXPECT_EQ(finish(sim.operations(0).retry(failed)).error().code(), ErrorCode::operation_ended);
}

TEST_F(OperationsTest, AFullDiskRefusesNewOnesLetsRunningOnesEndAndWithoutReserveDelaysThem) {
  const OperationId first = submit(PlanSim::plan("vm/vm1", 4, 1));
  sim.disk(0).full = true;
  EXPECT_EQ(finish(sim.operations(0).submit(PlanSim::plan("vm/vm2", 1, std::nullopt))).error().code(), ErrorCode::disk_full);
  EXPECT_EQ(end_of(first).outcome, OperationOutcome::succeeded);
  sim.disk(0).full = false;
  const OperationId second = submit(PlanSim::plan("vm/vm1", 4, 1));
  sim.disk(0).reserve_used = true;
  sim.scheduler().run_until([&] { return false; }, 60s);
  EXPECT_FALSE(sim.operations(0).get(second)->final());
  sim.disk(0).reserve_used = false;
  EXPECT_EQ(end_of(second).outcome, OperationOutcome::succeeded);
  EXPECT_TRUE(sim.effects_of("vm/vm2").empty());
}

TEST_F(OperationsTest, FinishedOnesAreKeptUpToTheLimitAndNumbersAreNeverReused) {
  OperationId last;
  for (int i = 0; i < 8; ++i) {
    last = submit(PlanSim::plan("vm/vm1", 1, std::nullopt));
    end_of(last);
  }
  sim.scheduler().run_until([&] { return false; }, 1s);
  EXPECT_EQ(sim.operations(0).list().size(), 5u);
  sim.crash(0);
  sim.boot(0);
  sim.scheduler().run_until([&] { return false; }, 1s);
  EXPECT_EQ(sim.operations(0).list().size(), 5u);
  EXPECT_EQ(sim.operations(0).list().front().id, last);
  EXPECT_EQ(submit(PlanSim::plan("vm/vm1", 1, std::nullopt)).str(), "A-9");
}

// Found by the simulator: a number given before the journals were read overwrote an older journal.
TEST_F(OperationsTest, NothingIsAcceptedBeforeTheJournalsAreRead) {
  const OperationId first = submit(PlanSim::plan("vm/vm1", 2, std::nullopt));
  end_of(first);
  sim.crash(0);
  sim.boot(0);
  const auto early = sim::start(sim.clients(0), sim.operations(0).submit(PlanSim::plan("vm/vm2", 2, std::nullopt)));
  sim.scheduler().run_until([&] { return early->has_value(); }, 10s);
  if ((*early)->ok()) {
    EXPECT_NE(***early, first);
  } else {
    EXPECT_EQ((*early)->error().code(), ErrorCode::daemon_unreachable);
  }
  sim.scheduler().run_until([] { return false; }, 1s);
  EXPECT_TRUE(sim.operations(0).get(first).ok());
}

TEST_F(OperationsTest, StopEndsEveryTaskAndTheNextStartGoesOn) {
  const OperationId id = submit(PlanSim::plan("vm/vm1", 5, 2));
  TaskGroup outside(sim.scheduler().executor(0));
  bool stopped = false;
  struct Stop {
    static boost::asio::awaitable<void> now(Operations& operations, bool& done) {
      co_await operations.stop();
      done = true;
    }
  };
  outside.spawn(Stop::now(sim.operations(0), stopped));
  EXPECT_TRUE(sim.scheduler().run_until([&] { return stopped; }, 10s));
  sim.crash(0);
  sim.boot(0);
  sim.scheduler().run_until([&] { return !sim.operations(0).list().empty(); }, 1s);
  EXPECT_EQ(end_of(id).outcome, OperationOutcome::succeeded);
}

}  // namespace
}  // namespace mcv
