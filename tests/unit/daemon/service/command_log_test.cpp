// SPDX-License-Identifier: Apache-2.0
// At debug every command that is run is in the log, as a line a person can paste and get the same.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <regex>

#include "captured_log.h"
#include "daemon/host/real_processes.h"

namespace mcv::host {
namespace {

namespace asio = boost::asio;

const Argv awkward = {"printf", "%s|", "it's", "a  b", "$HOME", "", "*"};

class CommandLog : public ::testing::Test {
 protected:
  std::optional<Result<ProcessResult>> run(Argv argv, std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    Command command;
    command.argv = std::move(argv);
    command.deadline = deadline;
    std::optional<Result<ProcessResult>> result;
    auto keep = [&result](std::exception_ptr failure, Result<ProcessResult> value) {
      if (!failure) result = std::move(value);
    };
    asio::co_spawn(loop_, processes_.run(std::move(command)), keep);
    loop_.restart();
    loop_.run_for(std::chrono::seconds(60));
    return result;
  }
  static asio::awaitable<std::string> first_line(RealProcesses* processes, Argv argv) {
    auto stream = co_await processes->stream(std::move(argv));
    auto line = co_await (*stream)->next();
    co_return line->value_or("");
  }
  /// What follows `pattern` in the one line that has it.
  static std::string after(const test::CapturedLog& log, const std::string& pattern) {
    std::string found;
    for (const std::string& line : log.lines()) {
      std::smatch match;
      if (std::regex_search(line, match, std::regex("^" + pattern))) found += match.suffix().str();
    }
    return found;
  }

  asio::io_context loop_;
  RealProcesses processes_{loop_.get_executor()};
};

TEST_F(CommandLog, PastingTheLineDoesTheSame) {
  const test::CapturedLog log(spdlog::level::debug);
  const auto done = run(awkward);
  ASSERT_TRUE(done && done->ok());
  const std::string line = after(log, "debug exit 0 after [0-9]+ ms: ");
  EXPECT_EQ(line, "printf '%s|' 'it'\\''s' 'a  b' '$HOME' '' '*'");
  const auto pasted = run({"sh", "-c", line});
  ASSERT_TRUE(pasted && pasted->ok());
  EXPECT_EQ((*pasted)->out, (*done)->out);
}

TEST_F(CommandLog, AFailureAndADeadlineAreToldAsSuch) {
  const test::CapturedLog log(spdlog::level::debug);
  run({"sh", "-c", "exit 3"});
  run({"sleep", "1000"}, std::chrono::milliseconds(50));
  EXPECT_EQ(after(log, "debug exit 3 after [0-9]+ ms: "), "sh -c 'exit 3'");
  EXPECT_EQ(after(log, "debug killed after [0-9]+ ms: "), "sleep 1000");
}

TEST_F(CommandLog, WhatRunsOnIsToldWhenItBegins) {
  const test::CapturedLog log(spdlog::level::debug);
  asio::co_spawn(loop_, first_line(&processes_, {"echo", "a b"}), [](std::exception_ptr, std::string) {});
  loop_.run_for(std::chrono::seconds(60));
  EXPECT_EQ(after(log, "debug started: "), "echo 'a b'");
}

TEST_F(CommandLog, NothingOfItIsToldAtTheDefaultLevel) {
  const test::CapturedLog log(spdlog::level::info);
  run(awkward);
  EXPECT_TRUE(log.lines().empty());
}

}  // namespace
}  // namespace mcv::host
