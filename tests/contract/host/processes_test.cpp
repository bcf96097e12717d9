// SPDX-License-Identifier: Apache-2.0
#include "cluster/host/processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <fstream>

#include "cluster/core/task_group.h"
#include "daemon/host/file_calls.h"
#include "daemon/host/real_clock.h"
#include "daemon/host/real_processes.h"
#include "on_loop.h"
#include "scratch_directory.h"

namespace mcv::host {
namespace {

using std::chrono::milliseconds;

Command command(Argv argv, milliseconds deadline = milliseconds(20'000)) {
  Command made;
  made.argv = std::move(argv);
  made.deadline = deadline;
  return made;
}

class RealProcessesTest : public ::testing::Test {
 protected:
  Result<ProcessResult> run(Command made) { return test::on_loop(loop_, processes_.run(std::move(made))); }
  /// Waits until this process no longer runs. One whose new parent has not taken its exit code yet is gone as well.
  bool is_gone(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    for (int i = 0; i < 500; ++i) {
      const auto facts = file_calls::read(path);
      if (!facts.ok() || facts->find(") Z ") != std::string::npos) return true;
      test::on_loop(loop_, clock_.sleep_for(milliseconds(10)));
    }
    return false;
  }

  boost::asio::io_context loop_;
  RealProcesses processes_{loop_.get_executor()};
  RealClock clock_{loop_.get_executor()};
  test::ScratchDirectory scratch_;
};

TEST_F(RealProcessesTest, GivesOutputAndExitCode) {
  const auto result = run(command({"sh", "-c", "echo out; echo err >&2; exit 3"}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
}

TEST_F(RealProcessesTest, ASignalIsAnExitCodeOf128AndMore) {
  EXPECT_EQ(run(command({"sh", "-c", "kill -TERM $$"}))->exit_code, 128 + SIGTERM);
}

TEST_F(RealProcessesTest, AMissingProgramIsNamed) {
  const auto result = run(command({"mcv-no-such-tool", "x"}));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::command_missing);
  EXPECT_NE(result.error().message().find("mcv-no-such-tool"), std::string::npos);
  EXPECT_EQ(result.error().next(), "") << "no package is known";
  EXPECT_EQ(run(command({"/nonexistent/tool"})).error().code(), ErrorCode::command_missing);
  EXPECT_EQ(run(command({"./tool"})).error().code(), ErrorCode::command_missing);
  EXPECT_EQ(run(command({"/etc/passwd"})).error().code(), ErrorCode::command_missing);
}

TEST_F(RealProcessesTest, NothingIsAShell) {
  EXPECT_EQ(run(command({"echo", "$HOME; rm -rf x", "a  b", ""}))->out, "$HOME; rm -rf x a  b \n");
}

TEST_F(RealProcessesTest, TheEnvironmentIsFixed) {
  ::setenv("MCV_TEST_LEAK", "1", 1);
  EXPECT_EQ(run(command({"env"}))->out, std::string("PATH=") + RealProcesses::fixed_path + "\nLC_ALL=C.UTF-8\n");
}

TEST_F(RealProcessesTest, NoDescriptorIsInherited) {
  const std::string leak = scratch_.file("leak");
  const int fd = ::open(leak.c_str(), O_CREAT | O_RDWR, 0600);  // without close-on-exec, as libraries do
  ASSERT_GE(fd, 0);
  // ls itself opens one more to read the directory.
  EXPECT_EQ(run(command({"ls", "/proc/self/fd"}))->out, "0\n1\n2\n3\n");
  ::close(fd);
}

/// More than any pipe holds. Appended: GCC 12 at -O2 sees an overflow in a moved string whose size it knows.
std::string five_megabytes() {
  std::string text;
  while (text.size() < 5'000'000) text.append(1000, 'i');
  return text;
}

TEST_F(RealProcessesTest, FeedsInputOfAnySize) {
  Command made = command({"wc", "-c"});
  made.input = five_megabytes();
  EXPECT_EQ(run(std::move(made))->out, "5000000\n");
}

TEST_F(RealProcessesTest, AToolThatDoesNotReadItsInputIsNoError) {
  Command made = command({"true"});
  made.input = five_megabytes();
  EXPECT_EQ(run(std::move(made))->exit_code, 0);
}

TEST_F(RealProcessesTest, WithoutInputItReadsEndOfFile) { EXPECT_EQ(run(command({"cat"}))->out, ""); }

TEST_F(RealProcessesTest, TakesBigOutputOnBothPipes) {
  const auto result = run(command({"sh", "-c", "head -c 6000000 /dev/zero; head -c 6000000 /dev/zero >&2"}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->out.size(), 6'000'000u);
  EXPECT_EQ(result->err.size(), 6'000'000u);
}

TEST_F(RealProcessesTest, TooMuchOutputIsAnErrorAndEndsTheTool) {
  const auto result = run(command({"cat", "/dev/zero"}));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::bad_output);
}

TEST_F(RealProcessesTest, TheDeadlineKillsTheWholeGroup) {
  const std::string pid_file = scratch_.file("pid");
  const Instant before = clock_.now();
  const auto result = run(command({"sh", "-c", "sleep 1000 & echo $! > " + pid_file + "; wait"}, milliseconds(300)));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::timed_out);
  EXPECT_LT(clock_.now() - before, std::chrono::seconds(10));
  pid_t grandchild = 0;
  std::ifstream(pid_file) >> grandchild;
  ASSERT_GT(grandchild, 0);
  EXPECT_TRUE(is_gone(grandchild));
}

TEST_F(RealProcessesTest, IgnoringTermDoesNotHelpAgainstTheDeadline) {
  const auto result = run(command({"sh", "-c", "trap '' TERM INT HUP; sleep 1000"}, milliseconds(200)));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::timed_out);
}

TEST_F(RealProcessesTest, AServiceThatKeepsThePipeOpenDoesNotHoldTheRun) {
  const std::string pid_file = scratch_.file("pid");
  const Instant before = clock_.now();
  const auto result = run(command({"sh", "-c", "setsid sleep 30 & echo $! > " + pid_file + "; echo done"}));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->out, "done\n");
  EXPECT_LT(clock_.now() - before, std::chrono::seconds(10));
  pid_t service = 0;
  std::ifstream(pid_file) >> service;
  ASSERT_GT(service, 0);
  ::kill(service, SIGKILL);
}

TEST_F(RealProcessesTest, CancellationKillsAndReaps) {
  TaskGroup tasks(loop_.get_executor());
  const std::string pid_file = scratch_.file("pid");
  auto never_ends = [](RealProcesses* processes, std::string file) -> boost::asio::awaitable<void> {
    Command made = command({"sh", "-c", "echo $$ > " + file + "; exec sleep 1000"}, milliseconds(900'000));
    const auto result = co_await processes->run(std::move(made));
    ADD_FAILURE() << "a cancelled run must not return " << result.ok();
  };
  tasks.spawn(never_ends(&processes_, pid_file));
  pid_t pid = 0;
  for (int i = 0; i < 500 && pid == 0; ++i) {
    test::on_loop(loop_, clock_.sleep_for(milliseconds(10)));
    std::ifstream(pid_file) >> pid;
  }
  ASSERT_GT(pid, 0);
  tasks.cancel();
  test::on_loop(loop_, tasks.join());
  EXPECT_EQ(tasks.running(), 0u);
  EXPECT_TRUE(is_gone(pid));
}

TEST_F(RealProcessesTest, ManyAtOnce) {
  TaskGroup tasks(loop_.get_executor());
  int done = 0;
  auto one = [](RealProcesses* processes, int* count) -> boost::asio::awaitable<void> {
    Command made = command({"true"});
    const auto result = co_await processes->run(std::move(made));
    if (result.ok() && result->exit_code == 0) ++*count;
  };
  for (int i = 0; i < 100; ++i) tasks.spawn(one(&processes_, &done));
  test::on_loop(loop_, tasks.join());
  EXPECT_EQ(done, 100);
}

TEST_F(RealProcessesTest, StreamsLinesUntilTheEnd) {
  auto read_all = [](RealProcesses* processes) -> boost::asio::awaitable<std::string> {
    Argv argv{"sh", "-c", "echo one; printf 'two\\n\\nthree\\nhalf'"};
    auto stream = co_await processes->stream(std::move(argv));
    std::string seen;
    while (true) {
      auto line = co_await (*stream)->next();
      if (!line.ok()) co_return line.error().message();
      if (!line->has_value()) co_return seen;
      seen += "[" + **line + "]";
    }
  };
  EXPECT_EQ(test::on_loop(loop_, read_all(&processes_)), "[one][two][][three]");
}

TEST_F(RealProcessesTest, AStreamEndsItsProcessWhenDropped) {
  auto first_line = [](RealProcesses* processes) -> boost::asio::awaitable<std::string> {
    Argv argv{"sh", "-c", "echo $$; exec sleep 1000"};
    auto stream = co_await processes->stream(std::move(argv));
    auto line = co_await (*stream)->next();
    co_return line->value_or("");
  };
  const std::string pid = test::on_loop(loop_, first_line(&processes_));
  ASSERT_FALSE(pid.empty());
  EXPECT_TRUE(is_gone(std::stoi(pid)));
}

TEST_F(RealProcessesTest, AnEndlessLineIsAnError) {
  auto first_line = [](RealProcesses* processes) -> boost::asio::awaitable<ErrorCode> {
    Argv argv{"cat", "/dev/zero"};
    auto stream = co_await processes->stream(std::move(argv));
    auto line = co_await (*stream)->next();
    co_return line.ok() ? ErrorCode::internal : line.error().code();
  };
  EXPECT_EQ(test::on_loop(loop_, first_line(&processes_)), ErrorCode::bad_output);
}

}  // namespace
}  // namespace mcv::host
