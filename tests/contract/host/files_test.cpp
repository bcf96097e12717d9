// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cluster/core/sha256.h"
#include "daemon/host/real_files.h"
#include "on_loop.h"
#include "scratch_directory.h"

namespace mcv::host {
namespace {

class RealFilesTest : public ::testing::Test {
 protected:
  template <typename T>
  T wait(boost::asio::awaitable<T> work) {
    return test::on_loop(loop_, std::move(work));
  }
  unsigned mode_of(const std::string& path) {
    struct stat facts {};
    ::stat(path.c_str(), &facts);
    return facts.st_mode & 07777u;
  }

  boost::asio::io_context loop_;
  BlockingPool pool_{loop_.get_executor(), 2};
  RealFiles files_{pool_};
  test::ScratchDirectory scratch_;
};

TEST_F(RealFilesTest, WritesReadsAndReplaces) {
  const std::string path = scratch_.file("a.txt");
  ASSERT_TRUE(wait(files_.write_durably(path, "one", 0600)).ok());
  EXPECT_EQ(mode_of(path), 0600u);
  ASSERT_TRUE(wait(files_.write_durably(path, "two", 0644)).ok());
  EXPECT_EQ(*wait(files_.read(path)), "two");
  EXPECT_EQ(mode_of(path), 0644u);
  EXPECT_EQ(*wait(files_.list(scratch_.path())), std::vector<std::string>{"a.txt"});
}

TEST_F(RealFilesTest, NamesWhatIsMissing) {
  const auto text = wait(files_.read(scratch_.file("none")));
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code(), ErrorCode::not_found);
  EXPECT_EQ(wait(files_.write_durably(scratch_.file("none/a"), "x", 0600)).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(*wait(files_.exists(scratch_.file("none"))));
  EXPECT_TRUE(wait(files_.remove(scratch_.file("none"))).ok());
  EXPECT_TRUE(wait(files_.list(scratch_.file("none")))->empty());
}

TEST_F(RealFilesTest, RefusesRelativePathsAndWhatWouldBlock) {
  EXPECT_EQ(wait(files_.read("relative")).error().code(), ErrorCode::bad_request);
  const std::string fifo = scratch_.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(wait(files_.read(fifo)).error().code(), ErrorCode::io_error);
  EXPECT_EQ(wait(files_.read(scratch_.path())).error().code(), ErrorCode::io_error);
}

TEST_F(RealFilesTest, ReadsProcAndSys) {
  EXPECT_FALSE(wait(files_.read("/proc/self/stat"))->empty());
  EXPECT_FALSE(wait(files_.read("/sys/kernel/mm/transparent_hugepage/enabled")).value_or("x").empty());
}

TEST_F(RealFilesTest, WritesInPlaceOnlyWhatExists) {
  const std::string path = scratch_.file("value");
  EXPECT_EQ(wait(files_.write_in_place(path, "1")).error().code(), ErrorCode::not_found);
  ASSERT_TRUE(wait(files_.write_durably(path, "0", 0600)).ok());
  ASSERT_TRUE(wait(files_.write_in_place(path, "1")).ok());
  EXPECT_EQ(*wait(files_.read(path)), "1");
}

TEST_F(RealFilesTest, MakesDirectoriesWithParents) {
  const std::string path = scratch_.file("a/b/c");
  ASSERT_TRUE(wait(files_.make_directory(path, 0700)).ok());
  ASSERT_TRUE(wait(files_.make_directory(path, 0700)).ok());
  EXPECT_EQ(mode_of(path), 0700u);
  ASSERT_TRUE(wait(files_.write_durably(scratch_.file("file"), "", 0600)).ok());
  EXPECT_FALSE(wait(files_.make_directory(scratch_.file("file"), 0700)).ok());
}

TEST_F(RealFilesTest, HashesFilesOfAnySize) {
  const std::string path = scratch_.file("big");
  const std::string text(3'000'001, 'x');
  std::ofstream(path) << text;
  EXPECT_EQ(*wait(files_.sha256(path)), sha256_hex(text));
}

TEST_F(RealFilesTest, RefusesToReadMoreThanItsLimit) {
  const std::string path = scratch_.file("huge");
  std::ofstream(path).close();
  ASSERT_EQ(::truncate(path.c_str(), 40 << 20), 0);
  EXPECT_EQ(wait(files_.read(path)).error().code(), ErrorCode::too_large);
}

/// A file system of 64 KiB, so that full means full at once.
class FullDisk {
 public:
  explicit FullDisk(std::string path) : path_(std::move(path)) {
    ::mkdir(path_.c_str(), 0700);
    mounted_ = ::mount("mcv-test", path_.c_str(), "tmpfs", 0, "size=65536") == 0;
  }
  ~FullDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_F(RealFilesTest, AFullDiskKeepsTheOldTextAndLeavesNothing) {
  const std::string root = scratch_.file("small");
  FullDisk disk(root);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  const std::string path = root + "/state";
  ASSERT_TRUE(wait(files_.write_durably(path, "old", 0600)).ok());
  const Status status = wait(files_.write_durably(path, std::string(200'000, 'n'), 0600));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::disk_full);
  EXPECT_EQ(*wait(files_.read(path)), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root), {}), 1) << "the temporary file must be gone";
}

TEST_F(RealFilesTest, AReaderSeesTheOldOrTheNewTextNeverAMixture) {
  const std::string path = scratch_.file("swap");
  const std::string old_text(50'000, 'o');
  const std::string new_text(50'000, 'n');
  ASSERT_TRUE(wait(files_.write_durably(path, old_text, 0600)).ok());
  std::atomic<bool> stop{false};
  std::atomic<int> mixtures{0};
  std::thread reader([&]() {
    while (!stop) {
      std::ifstream file(path);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      if (text != old_text && text != new_text) ++mixtures;
    }
  });
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(wait(files_.write_durably(path, i % 2 == 0 ? new_text : old_text, 0600)).ok());
  stop = true;
  reader.join();
  EXPECT_EQ(mixtures, 0);
}

}  // namespace
}  // namespace mcv::host
