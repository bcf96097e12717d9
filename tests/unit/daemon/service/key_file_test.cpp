// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/host/file_calls.h"
#include "daemon/host/real_host.h"

namespace mcv::host {
namespace {

class KeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "mcv-key-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/keys/node.pem";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  static unsigned mode_of(const std::string& path) {
    struct stat facts {};
    ::stat(path.c_str(), &facts);
    return facts.st_mode & 07777u;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(KeyFileTest, IsMadeOnceAndKeptPrivate) {
  const auto first = load_or_make_key(path_);
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(mode_of(path_), 0600u);
  EXPECT_EQ(mode_of(directory_ + "/keys"), 0700u);
  const auto second = load_or_make_key(path_);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->fingerprint(), second->fingerprint());
}

TEST_F(KeyFileTest, ADamagedOrOpenKeyIsNeverReplaced) {
  ASSERT_TRUE(load_or_make_key(path_).ok());
  std::filesystem::permissions(path_, std::filesystem::perms(0644));
  EXPECT_FALSE(load_or_make_key(path_).ok());
  std::filesystem::permissions(path_, std::filesystem::perms(0600));
  std::ofstream(path_) << "damaged";
  const auto damaged = load_or_make_key(path_);
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.error().message().find(path_), std::string::npos);
  EXPECT_EQ(*file_calls::read(path_), "damaged");
}

TEST_F(KeyFileTest, AHostComesUpWithIt) {
  boost::asio::io_context loop;
  const auto host = RealHost::make(loop.get_executor(), path_);
  ASSERT_TRUE(host.ok()) << host.error().message();
  EXPECT_EQ((*host)->peers().own_fingerprint(), load_or_make_key(path_)->fingerprint());
}

}  // namespace
}  // namespace mcv::host
