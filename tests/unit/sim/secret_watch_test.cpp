// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "world/secret_watch.h"

namespace mcv::sim::secret_watch_test {
namespace {

class Secrets : public testing::Test {
 protected:
  std::array<FileDisk, 2> disks;
  SecretWatch watch{{&disks[0], &disks[1]}, "/srv/mcv/secrets.json"};

  void has(std::size_t node, const std::string& value) { disks[node].put("/srv/mcv/secrets.json", R"({"drbd-shared-secret":")" + value + R"("})", true); }
};

TEST_F(Secrets, NothingIsHeardBeforeThereIsOne) {
  watch.heard("the log", "0123456789abcdef");
  EXPECT_EQ(watch.finding(), std::nullopt);
}

TEST_F(Secrets, OneOnEitherNodeIsHeardOnce) {
  has(1, "0123456789abcdef");
  watch.heard("the log", "B said 0123456789abcdef, it did");
  EXPECT_EQ(watch.finding(), "I8: drbd-shared-secret is in the log");
  watch.heard("the log", "0123456789abcdef");
  EXPECT_EQ(watch.finding(), std::nullopt);
  watch.heard("a command line", "0123456789abcdef");
  EXPECT_EQ(watch.finding(), "I8: drbd-shared-secret is in a command line");
}

TEST_F(Secrets, AnEarlierOneIsOneStill) {
  has(0, "0123456789abcdef");
  watch.heard("the log", "nothing");
  has(0, "fedcba9876543210");
  watch.heard("the log", "0123456789abcdef");
  EXPECT_EQ(watch.finding(), "I8: drbd-shared-secret is in the log");
}

TEST_F(Secrets, AFileThatOthersMayNotReadMayHoldOne) {
  has(0, "0123456789abcdef");
  watch.written("/etc/drbd.d/mcv-vm1-0.res", "shared-secret 0123456789abcdef;", 0600);
  EXPECT_EQ(watch.finding(), std::nullopt);
  watch.written("/etc/drbd.d/mcv-vm1-0.res", "shared-secret 0123456789abcdef;", 0640);
  EXPECT_EQ(watch.finding(), "I8: drbd-shared-secret is in /etc/drbd.d/mcv-vm1-0.res, which has mode 640");
}

}  // namespace
}  // namespace mcv::sim::secret_watch_test
