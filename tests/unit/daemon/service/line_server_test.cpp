// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>

#include "daemon/host/real_clock.h"
#include "daemon/host/real_unix_sockets.h"
#include "daemon/server/unix_line_server.h"

namespace mcv::server {
namespace {

namespace asio = boost::asio;

class LineServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mcv-line-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/sock";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static asio::awaitable<std::string> shout(std::string line) { co_return "<" + line + ">"; }
  static asio::awaitable<std::string> converse(host::RealUnixSockets* sockets, std::string path, std::string bytes) {
    auto stream = co_await sockets->connect(std::move(path));
    const Status written = co_await (*stream)->write(std::move(bytes));
    std::string all;
    while (written.ok()) {
      auto more = co_await (*stream)->read_some();
      if (!more.ok() || more->empty()) co_return all;
      all += *more;
    }
    co_return "not written";
  }
  std::string ask(std::string bytes) {
    std::string answer;
    bool done = false;
    auto on_end = [&](std::exception_ptr, std::string got) {
      answer = std::move(got);
      done = true;
    };
    asio::co_spawn(loop_, converse(&sockets_, path_, std::move(bytes)), on_end);
    run_until([&]() { return done; });
    return answer;
  }
  template <typename Condition>
  void run_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    loop_.restart();
    while (!condition() && std::chrono::steady_clock::now() < end) loop_.run_one_until(end);
    EXPECT_TRUE(condition());
  }
  void finish(asio::awaitable<void> work) {
    bool done = false;
    asio::co_spawn(loop_, std::move(work), [&](std::exception_ptr) { done = true; });
    run_until([&]() { return done; });
  }

  std::string directory_;
  std::string path_;
  asio::io_context loop_;
  host::RealUnixSockets sockets_{loop_.get_executor()};
};

TEST_F(LineServerTest, AnswersALineWithALine) {
  UnixLineServer server(loop_.get_executor(), path_, shout);
  ASSERT_TRUE(server.start().ok());
  struct stat facts {};
  ::stat(path_.c_str(), &facts);
  EXPECT_EQ(facts.st_mode & 07777u, 0600u);
  EXPECT_EQ(ask("fence-peer\nignored"), "<fence-peer>\n");
  EXPECT_EQ(ask(std::string(100'000, 'x')), "") << "a line without end is dropped";
  EXPECT_EQ(ask("again\n"), "<again>\n");
  finish(server.stop());
}

TEST_F(LineServerTest, StoppingEndsWhatIsBeingAnswered) {
  host::RealClock clock(loop_.get_executor());
  bool asked = false;
  auto never = [](host::RealClock* slow, bool* seen) -> asio::awaitable<std::string> {
    *seen = true;
    co_await slow->sleep_for(std::chrono::hours(1));
    co_return "";
  };
  UnixLineServer server(loop_.get_executor(), path_, [&](const std::string&) { return never(&clock, &asked); });
  ASSERT_TRUE(server.start().ok());
  std::string answer = "unset";
  auto on_end = [&](std::exception_ptr, std::string got) { answer = std::move(got); };
  asio::co_spawn(loop_, converse(&sockets_, path_, "x\n"), on_end);
  run_until([&]() { return asked; });
  finish(server.stop());
  run_until([&]() { return answer.empty(); });
}

TEST_F(LineServerTest, TakesDatagrams) {
  std::vector<std::string> seen;
  UnixDatagramReceiver receiver(loop_.get_executor(), path_, [&](std::string bytes) { seen.push_back(std::move(bytes)); });
  ASSERT_TRUE(receiver.start().ok());
  ASSERT_TRUE(sockets_.send_datagram(path_, "one").ok());
  ASSERT_TRUE(sockets_.send_datagram(path_, "two").ok());
  run_until([&]() { return seen.size() == 2; });
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
  finish(receiver.stop());
}

}  // namespace
}  // namespace mcv::server
