// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <fstream>
#include <set>

#include "cluster/core/task_group.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/real_random.h"
#include "on_loop.h"

namespace mcv::host {
namespace {

TEST(RealClockTest, CountsSinceBoot) {
  boost::asio::io_context loop;
  RealClock clock(loop.get_executor());
  double uptime = 0;
  std::ifstream("/proc/uptime") >> uptime;
  EXPECT_NEAR(std::chrono::duration<double>(clock.now().since_boot).count(), uptime, 1.0);
}

TEST(RealClockTest, SleepsAtLeastAsLongAsAsked) {
  boost::asio::io_context loop;
  RealClock clock(loop.get_executor());
  const Instant before = clock.now();
  test::on_loop(loop, clock.sleep_for(std::chrono::milliseconds(30)));
  EXPECT_GE(clock.now() - before, std::chrono::milliseconds(29));
}

TEST(RealClockTest, ACancelledSleepEndsAtOnce) {
  boost::asio::io_context loop;
  RealClock clock(loop.get_executor());
  TaskGroup tasks(loop.get_executor());
  const Instant before = clock.now();
  tasks.spawn(clock.sleep_for(std::chrono::hours(1)));
  boost::asio::post(loop, [&]() { tasks.cancel(); });
  loop.run();
  EXPECT_EQ(tasks.running(), 0u);
  EXPECT_LT(clock.now() - before, std::chrono::seconds(10));
}

TEST(RealRandomTest, DoesNotRepeat) {
  RealRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(random.uuid()).second);
}

}  // namespace
}  // namespace mcv::host
