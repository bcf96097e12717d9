// SPDX-License-Identifier: Apache-2.0
// A machine in memory for the thin functions: scripted tools, files in a map, a clock that moves by itself when
// everybody waits. No real time passes.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <fstream>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/host.h"

namespace mcv::test {

namespace asio = boost::asio;

inline std::string data_file(const std::string& path) {
  std::ifstream stream(std::string(MCV_TEST_DATA) + "/" + path);
  std::ostringstream text;
  text << stream.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

/// Sleepers in order of their time; `advance()` wakes the next one.
class VirtualClock : public host::Clock {
 public:
  explicit VirtualClock(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  host::Instant now() const override { return now_; }
  std::int64_t wall_seconds() const override { return 1'700'000'000; }
  asio::awaitable<void> sleep_for(host::Duration duration) override {
    const auto bell = std::make_shared<Bell>(executor_, 1);
    sleepers_.emplace(now_ + duration, bell);
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    co_await bell->async_receive(token);
    // A cancelled sleeper takes itself off the list.
    for (auto it = sleepers_.begin(); it != sleepers_.end(); ++it) {
      if (it->second == bell) {
        sleepers_.erase(it);
        break;
      }
    }
  }
  bool advance() {
    if (sleepers_.empty()) return false;
    const auto next = sleepers_.begin();
    now_ = std::max(now_, next->first);
    const auto bell = next->second;
    sleepers_.erase(next);
    bell->try_send(boost::system::error_code());
    return true;
  }

 private:
  using Bell = asio::experimental::channel<void(boost::system::error_code)>;
  asio::any_io_executor executor_;
  host::Instant now_{std::chrono::seconds(1000)};
  std::multimap<host::Instant, std::shared_ptr<Bell>> sleepers_;
};

/// A tool that keeps running: lines are pushed by the test.
class Feed {
 public:
  using Line = std::optional<std::string>;
  explicit Feed(asio::any_io_executor executor) : lines(std::move(executor), 100'000) {}
  void push(std::string line) { lines.try_send(boost::system::error_code(), Line(std::move(line))); }
  void push_all(const std::string& text) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) push(line);
  }
  void end() { lines.try_send(boost::system::error_code(), Line()); }
  asio::experimental::channel<void(boost::system::error_code, Line)> lines;
};

class FeedStream : public host::LineStream {
 public:
  explicit FeedStream(std::shared_ptr<Feed> feed) : feed_(std::move(feed)) {}
  asio::awaitable<Result<std::optional<std::string>>> next() override {
    const auto feed = feed_;
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto [error, line] = co_await feed->lines.async_receive(token);
    if (error) throw boost::system::system_error(asio::error::operation_aborted);  // what cancelled descriptors throw
    co_return line;
  }

 private:
  std::shared_ptr<Feed> feed_;
};

/// Answers each command by the first rule whose words begin it; records what was run.
class Tools : public host::Processes {
 public:
  using Answer = std::function<host::ProcessResult(const host::Command&)>;

  explicit Tools(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void when(std::string beginning, Answer answer) { rules_.emplace_back(std::move(beginning), std::move(answer)); }
  void when(std::string beginning, host::ProcessResult result) {
    when(std::move(beginning), [result](const host::Command&) { return result; });
  }
  void succeed(std::string beginning, std::string out = "") { when(std::move(beginning), host::ProcessResult{0, std::move(out), ""}); }
  void forget(const std::string& beginning) {
    std::erase_if(rules_, [&](const auto& rule) { return rule.first == beginning; });
  }

  asio::awaitable<Result<host::ProcessResult>> run(host::Command command) override {
    const std::string line = host::to_shell_line(command.argv);
    ran.push_back(line);
    for (const auto& [beginning, answer] : rules_) {
      if (line.compare(0, beginning.size(), beginning) == 0) {
        const Answer call = answer;  // a rule may change the rules
        co_return call(command);
      }
    }
    ADD_FAILURE() << "no rule for: " << line;
    co_return Error(ErrorCode::command_missing, line);
  }
  asio::awaitable<Result<std::unique_ptr<host::LineStream>>> stream(host::Argv) override {
    auto feed = std::make_shared<Feed>(executor_);
    feeds.push_back(feed);
    if (on_stream) on_stream(*feed);
    std::unique_ptr<host::LineStream> stream = std::make_unique<FeedStream>(feed);
    co_return stream;
  }
  std::size_t count(const std::string& beginning) const {
    std::size_t found = 0;
    for (const std::string& line : ran) found += line.compare(0, beginning.size(), beginning) == 0 ? 1 : 0;
    return found;
  }

  std::vector<std::string> ran;
  std::vector<std::shared_ptr<Feed>> feeds;  ///< one per started stream
  std::function<void(Feed&)> on_stream;

 private:
  asio::any_io_executor executor_;
  std::vector<std::pair<std::string, Answer>> rules_;
};

class FilesInMemory : public host::Files {
 public:
  std::map<std::string, std::string> texts;
  std::map<std::string, unsigned> modes;
  std::function<void(const std::string&)> before_read;

  asio::awaitable<Result<std::string>> read(std::string path) override {
    if (before_read) before_read(path);
    const auto found = texts.find(path);
    if (found == texts.end()) co_return Error(ErrorCode::not_found, path);
    co_return found->second;
  }
  asio::awaitable<Status> write_durably(std::string path, std::string text, unsigned mode) override {
    texts[path] = std::move(text);
    modes[path] = mode;
    co_return success();
  }
  asio::awaitable<Status> write_in_place(std::string path, std::string text) override {
    texts[path] = std::move(text);
    co_return success();
  }
  asio::awaitable<Status> remove(std::string path) override {
    texts.erase(path);
    co_return success();
  }
  asio::awaitable<Result<bool>> exists(std::string path) override { co_return texts.contains(path); }
  asio::awaitable<Result<std::vector<std::string>>> list(std::string directory) override {
    std::vector<std::string> names;
    for (const auto& [path, text] : texts) {
      if (path.compare(0, directory.size() + 1, directory + "/") == 0) names.push_back(path.substr(directory.size() + 1));
    }
    co_return names;
  }
  asio::awaitable<Status> make_directory(std::string path, unsigned) override {
    texts[path] = "";
    co_return success();
  }
  asio::awaitable<Result<std::string>> sha256(std::string path) override { co_return Error(ErrorCode::not_found, path); }
};

class Counter : public host::Random {
 public:
  std::uint64_t next() override { return ++value; }
  std::uint64_t value = 0;
};

/// One node. Store, sockets, peers and group are not there: what storage and net do needs none of them.
class Machine {
 public:
  Machine()
      : clock(loop.get_executor()),
        tools(loop.get_executor()),
        host{loop.get_executor(), clock, random, tools, files, none<host::Store>(), none<host::UnixSockets>(), none<host::PeerNetwork>(),
             none<host::GroupChannel>(), "A"} {}

  /// Runs one coroutine to its end, moving the clock when all wait; `background` tasks are cancelled afterwards.
  template <typename T>
  T run(asio::awaitable<T> task) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
      failure = error;
      if (!error) result.emplace(std::move(value));
    });
    for (int steps = 0; !result && !failure; ++steps) {
      loop.restart();
      loop.poll();
      if (result || failure) break;
      if (steps > 1'000'000 || !clock.advance()) {
        ADD_FAILURE() << "everybody waits and nothing is left to happen";
        std::abort();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return std::move(*result);
  }
  /// Lets everything that is ready run.
  void settle() {
    loop.restart();
    loop.poll();
  }

  asio::io_context loop;
  VirtualClock clock;
  Counter random;
  Tools tools;
  FilesInMemory files;
  host::Host host;

 private:
  /// A reference that nobody may use; the address is as good as any.
  template <typename T>
  T& none() {
    return *reinterpret_cast<T*>(&nothing_);
  }
  alignas(16) unsigned char nothing_[16] = {};
};

}  // namespace mcv::test
