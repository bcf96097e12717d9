// SPDX-License-Identifier: Apache-2.0
// The real SQLite: killed writers, failing fsync, a file system that is full.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "cluster/store/log_store.h"
#include "daemon/host/sqlite/sqlite_store.h"

namespace {
std::atomic<int> synced{0};
std::atomic<bool> sync_fails{false};
}  // namespace

// Takes the place of libc's for SQLite as well: counts, and fails on demand.
extern "C" __attribute__((visibility("default"))) int fdatasync(int file) {
  ++synced;
  if (sync_fails) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, file));
}

namespace mcv::host {
namespace {

namespace asio = boost::asio;
using Rows = std::vector<std::pair<std::string, std::string>>;

class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() {
    char name[] = "/var/tmp/mcv-sqlite-XXXXXX";
    directory = ::mkdtemp(name);
    path = directory + "/state.db";
  }
  ~SqliteStoreTest() override {
    sync_fails = false;
    store.reset();
    std::filesystem::remove_all(directory);
  }
  void open(std::uint64_t reserve = 65536) {
    store.reset();
    auto opened = SqliteStore::open(loop.get_executor(), {path, reserve});
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store = std::move(*opened);
  }
  template <typename T>
  T run(asio::awaitable<T> task) {
    std::optional<T> result;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr, T value) { result = std::move(value); });
    loop.restart();
    loop.run();
    return std::move(*result);
  }
  Status put(const std::string& key, const std::string& value, bool essential = false) {
    StoreBatch batch;
    batch.put("t", key, value);
    batch.may_use_reserve = essential;
    return run(store->commit(std::move(batch)));
  }
  std::optional<std::string> get(const std::string& key) { return *run(store->get("t", key)); }

  std::string directory, path;
  asio::io_context loop;
  std::unique_ptr<SqliteStore> store;
};

TEST_F(SqliteStoreTest, KeepsTablesOrderedAndAppliesABatchInItsOrder) {
  open();
  StoreBatch batch;
  batch.put("t", "b", "2").put("t", "a", std::string("1\0x", 3)).put("u", "a", "other").put("t", "c", "3");
  ASSERT_TRUE(run(store->commit(std::move(batch))).ok());
  StoreBatch next;
  next.delete_ranges.push_back({"t", "b", "c"});
  next.put("t", "c", "new").erase("u", "a");
  ASSERT_TRUE(run(store->commit(std::move(next))).ok());
  open();
  const Rows wanted = {{"a", std::string("1\0x", 3)}, {"c", "new"}};
  EXPECT_EQ(*run(store->scan("t", "", 10)), wanted);
  EXPECT_EQ(run(store->scan("t", "b", 10))->size(), 1u);
  EXPECT_EQ(run(store->scan("t", "", 1))->size(), 1u);
  EXPECT_TRUE(run(store->scan("u", "", 10))->empty());
}

TEST_F(SqliteStoreTest, EveryCommitIsSynchronisedBeforeItReturns) {
  open();
  for (int i = 0; i < 20; ++i) {
    const int before = synced;
    ASSERT_TRUE(put("k" + std::to_string(i), "v").ok());
    ASSERT_GT(synced, before);
  }
}

/// Numbers of records are given by it: the last value of a key is the one that was asked for last.
TEST_F(SqliteStoreTest, OverlappingCommitsAreDoneAndToldInOrder) {
  open();
  std::vector<int> told;
  for (int i = 0; i < 50; ++i) {
    StoreBatch batch;
    // Large and small in turns, so that the later one would be the quicker one.
    batch.put("t", "last", std::to_string(i)).put("t", std::to_string(i), std::string(i % 2 == 0 ? 200'000 : 1, 'x'));
    asio::co_spawn(loop, store->commit(std::move(batch)), [&, i](std::exception_ptr, Status status) {
      EXPECT_TRUE(status.ok());
      told.push_back(i);
    });
  }
  loop.restart();
  loop.run();
  ASSERT_EQ(told.size(), 50u);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(get("last"), "49");
}

TEST_F(SqliteStoreTest, AFailedSyncEndsTheStoreUntilItIsReadAgain) {
  open();
  ASSERT_TRUE(put("before", "1").ok());
  sync_fails = true;
  EXPECT_EQ(put("lost", "1").error().code(), ErrorCode::io_error);
  sync_fails = false;
  EXPECT_EQ(put("after", "1").error().code(), ErrorCode::io_error);
  EXPECT_EQ(run(store->get("t", "before")).error().code(), ErrorCode::io_error);
  open();
  EXPECT_EQ(get("before"), "1");
  EXPECT_EQ(get("after"), std::nullopt);
}

TEST_F(SqliteStoreTest, ASecondDaemonIsRefused) {
  open();
  ASSERT_TRUE(put("k", "v").ok());
  // POSIX locks do not exclude the process that holds them: another process has to try.
  const pid_t child = ::fork();
  if (child == 0) {
    asio::io_context other;
    const auto opened = SqliteStore::open(other.get_executor(), {path, 65536});
    ::_exit(!opened.ok() && opened.error().code() == ErrorCode::busy ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteStoreTest, ForeignAndDamagedFilesAreNotTouched) {
  std::ofstream(path) << std::string(8192, 'x');
  const auto opened = SqliteStore::open(loop.get_executor(), {path, 65536});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::store_corrupt);
  EXPECT_EQ(std::filesystem::file_size(path), 8192u);
}

TEST_F(SqliteStoreTest, TheLogDoesNotGrowWithoutEnd) {
  open();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(put("k", std::string(60'000, static_cast<char>('a' + i % 26))).ok());
  EXPECT_LT(std::filesystem::file_size(path + "-wal"), 6u << 20);
  EXPECT_LT(std::filesystem::file_size(path), 2u << 20);
}

/// A writer that is killed at any moment: what it was told is there, and no batch is there by half.
TEST_F(SqliteStoreTest, EveryAcknowledgedCommitOutlivesAKilledWriter) {
  std::mt19937 random(7);
  int next = 0, acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      asio::io_context writer_loop;
      auto opened = SqliteStore::open(writer_loop.get_executor(), {path, 65536});
      if (!opened.ok()) ::_exit(1);
      for (int number = next;; ++number) {
        StoreBatch batch;
        batch.put("a", std::to_string(number), std::string(2000, 'a')).put("b", std::to_string(number), "b");
        batch.delete_ranges.push_back({"b", std::to_string(number - 1), std::to_string(number - 1)});
        bool done = false;
        asio::co_spawn(writer_loop, (*opened)->commit(std::move(batch)), [&](std::exception_ptr, Status status) { done = status.ok(); });
        writer_loop.restart();
        writer_loop.run();
        if (!done || ::write(pipe_ends[1], &number, sizeof number) != sizeof number) ::_exit(2);
      }
    }
    ::close(pipe_ends[1]);
    // Not a wait for a condition: the moment of death is the input of this test.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int last = next - 1, number = 0;
    while (::read(pipe_ends[0], &number, sizeof number) == sizeof number) last = number;
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
    acknowledged += last - next + 1;
    open();
    for (int i = 0; i <= last; ++i) ASSERT_TRUE(run(store->get("a", std::to_string(i)))->has_value()) << "acknowledged commit " << i << " is lost";
    const bool one_more = run(store->get("a", std::to_string(last + 1)))->has_value();
    next = last + (one_more ? 2 : 1);
    ASSERT_EQ(run(store->scan("b", "", 10))->size(), next > 0 ? 1u : 0u) << "half a batch";
    store.reset();
  }
  EXPECT_GT(acknowledged, 25);
  std::printf("%d acknowledged commits over 25 kills\n", acknowledged);
}

/// In a mount namespace with a small file system of its own.
void fill_and_finish(const std::string& directory) {
  const auto must = [](bool condition, int code) {
    if (!condition) ::_exit(code);
  };
  must(::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, 10);
  must(::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=8m") == 0, 11);
  asio::io_context loop;
  auto opened = SqliteStore::open(loop.get_executor(), {directory + "/state.db", 2u << 20});
  must(opened.ok(), 12);
  const auto put = [&](int number, bool essential) {
    StoreBatch batch;
    batch.put("t", std::to_string(number), std::string(20'000, 'x'));
    batch.may_use_reserve = essential;
    std::optional<Status> result;
    asio::co_spawn(loop, (*opened)->commit(std::move(batch)), [&](std::exception_ptr, Status status) { result = std::move(status); });
    loop.restart();
    loop.run();
    return result->ok() ? std::string("ok") : std::string(to_text(result->error().code()));
  };
  must(put(0, false) == "ok", 13);
  {
    const int filler = ::open((directory + "/filler").c_str(), O_CREAT | O_WRONLY, 0600);
    const std::string block(65536, 'f');
    while (::write(filler, block.data(), block.size()) > 0) {
    }
    ::close(filler);
  }
  int number = 1;
  while (number < 400 && put(number, false) == "ok") ++number;
  must(put(number, false) == "disk-full", 14);
  // What was begun can still be finished, several times over, while new changes stay refused.
  for (int i = 1000; i < 1020; ++i) must(put(i, true) == "ok", 15);
  must(put(number, false) == "disk-full", 16);
  must(std::filesystem::file_size(directory + "/state.db.reserve") == 0, 17);
  std::filesystem::remove(directory + "/filler");
  must(put(number, false) == "ok", 18);
  must(std::filesystem::file_size(directory + "/state.db.reserve") == (2u << 20), 19);
  ::_exit(0);
}

TEST_F(SqliteStoreTest, AFullFileSystemRefusesCleanlyAndTheReserveFinishesWhatWasBegun) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: a small file system can only be mounted by root; run the contract tests as root";
  const pid_t child = ::fork();
  if (child == 0) fill_and_finish(directory);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "failed at check " << WEXITSTATUS(status);
}

}  // namespace
}  // namespace mcv::host
