// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/wakeup.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cluster/core/task_group.h"
#include "engine/scheduler.h"
#include "engine/sim_clock.h"

namespace mcv::wakeup_test {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

class Wakeup : public testing::Test {
 protected:
  awaitable<void> wait(std::string name) {
    co_await signal->wait();
    heard += name;
  }
  awaitable<void> wait_for(std::string name) {
    co_await signal->wait_for(clock, 5s);
    heard += name;
  }
  awaitable<void> wait_beyond(std::uint64_t seen) {
    co_await signal->wait_beyond(seen, clock, 5s);
    heard += "x";
  }
  void settle() {
    while (scheduler.now() < 100s && scheduler.step()) {}
  }
  void run_ready() { scheduler.run_until([] { return false; }, 1ms); }

  sim::Scheduler scheduler{1};
  sim::SimClock clock{scheduler, 0, sim::Time(0), 0};
  std::string heard;
  std::unique_ptr<host::Wakeup> signal = std::make_unique<host::Wakeup>(scheduler.executor(0));
  TaskGroup tasks{scheduler.executor(0)};
};

TEST_F(Wakeup, WakesAllWhoWaitAndNobodyWhoComesLater) {
  tasks.spawn(wait("a"));
  tasks.spawn(wait("b"));
  run_ready();
  EXPECT_EQ(heard, "");
  signal->notify();
  run_ready();
  EXPECT_EQ(heard.size(), 2u);
  tasks.spawn(wait("c"));
  run_ready();
  EXPECT_EQ(heard.size(), 2u);
  signal->notify();
  run_ready();
  EXPECT_EQ(heard.size(), 3u);
}

TEST_F(Wakeup, CountsFromTheCallOnNotFromTheFirstResumption) {
  awaitable<void> waiting = signal->wait();
  signal->notify();
  tasks.spawn(std::move(waiting));
  run_ready();
  EXPECT_EQ(tasks.running(), 0u);
}

TEST_F(Wakeup, ABoundEndsTheWait) {
  const sim::Time began = scheduler.now();
  tasks.spawn(wait_for("late"));
  settle();
  EXPECT_EQ(heard, "late");
  EXPECT_EQ(scheduler.now() - began, 5s);
}

TEST_F(Wakeup, AChangeWhileLookingIsNotMissed) {
  const std::uint64_t seen = signal->count();
  signal->notify();
  tasks.spawn(wait_beyond(seen));
  run_ready();
  EXPECT_EQ(heard, "x") << "at once";
  tasks.spawn(wait_beyond(signal->count()));
  run_ready();
  EXPECT_EQ(heard, "x");
  signal->notify();
  run_ready();
  EXPECT_EQ(heard, "xx");
}

TEST_F(Wakeup, CancellationEndsEachKindOfWait) {
  tasks.spawn(wait("a"));
  tasks.spawn(wait_for("b"));
  run_ready();
  tasks.cancel();
  run_ready();
  EXPECT_EQ(tasks.running(), 0u);
  EXPECT_EQ(heard, "") << "none went on";
}

TEST_F(Wakeup, NobodyHangsOnOneThatIsGone) {
  tasks.spawn(wait("a"));
  tasks.spawn(wait_for("b"));
  run_ready();
  signal.reset();
  run_ready();
  EXPECT_EQ(heard.size(), 2u);
  EXPECT_LT(scheduler.now(), 5s);
}

}  // namespace
}  // namespace mcv::wakeup_test
