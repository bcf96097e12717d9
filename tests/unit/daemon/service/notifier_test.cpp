// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>

#include "cluster/core/task_group.h"
#include "daemon/host/real_clock.h"
#include "daemon/server/unix_line_server.h"
#include "daemon/service_notifier.h"

namespace mcv {
namespace {

/// Plays systemd: listens where sd_notify writes.
class ServiceNotifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mcv-notify-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    const std::string path = directory_ + "/notify";
    receiver_.emplace(loop_.get_executor(), path, [this](std::string bytes) { seen_.push_back(std::move(bytes)); });
    ASSERT_TRUE(receiver_->start().ok());
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "60000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
    tasks_.cancel();
    tasks_.spawn(receiver_->stop());
    loop_.restart();
    loop_.run_for(std::chrono::seconds(10));
    std::filesystem::remove_all(directory_);
  }
  void run_until(std::size_t messages) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    loop_.restart();
    while (seen_.size() < messages && std::chrono::steady_clock::now() < end) loop_.run_one_until(end);
    ASSERT_GE(seen_.size(), messages);
  }

  boost::asio::io_context loop_;
  std::string directory_;
  std::vector<std::string> seen_;
  std::optional<server::UnixDatagramReceiver> receiver_;
  TaskGroup tasks_{loop_.get_executor()};
  ServiceNotifier notifier_;
};

TEST_F(ServiceNotifierTest, TellsStateOnOneLine) {
  notifier_.ready("2 guests\nrunning");
  notifier_.stopping();
  run_until(2);
  EXPECT_EQ(seen_[0], "READY=1\nSTATUS=2 guests running");
  EXPECT_EQ(seen_[1], "STOPPING=1\nSTATUS=stopping");
}

TEST_F(ServiceNotifierTest, FeedsTheWatchdogUntilCancelled) {
  host::RealClock clock(loop_.get_executor());
  EXPECT_EQ(notifier_.watchdog_interval(), std::chrono::microseconds(60'000));
  tasks_.spawn(notifier_.feed_watchdog(&clock));
  run_until(4);
  for (const std::string& message : seen_) EXPECT_EQ(message, "WATCHDOG=1");
  tasks_.cancel();
}

TEST(ServiceNotifierAloneTest, DoesNothingWithoutSystemd) {
  boost::asio::io_context loop;
  host::RealClock clock(loop.get_executor());
  const ServiceNotifier notifier;
  notifier.ready("x");
  TaskGroup tasks(loop.get_executor());
  tasks.spawn(notifier.feed_watchdog(&clock));
  loop.run();
  EXPECT_EQ(tasks.running(), 0u);
}

}  // namespace
}  // namespace mcv
