// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/locks.h"

#include <gtest/gtest.h>

namespace mcv {
namespace {

OperationId id(const char* text) { return OperationId::trusted(text); }

TEST(Locks, AreAllOrNothing) {
  Locks locks;
  EXPECT_FALSE(locks.try_take(id("A-1"), {{"vm/a", false}}));
  EXPECT_EQ(locks.try_take(id("A-2"), {{"vm/b", false}, {"vm/a", false}}), id("A-1"));
  EXPECT_FALSE(locks.try_take(id("A-3"), {{"vm/b", false}}));  // A-2 left nothing behind
  locks.release(id("A-1"));
  locks.release(id("A-3"));
  EXPECT_TRUE(locks.empty());
}

TEST(Locks, SharedOnesExcludeOnlyExclusiveOnes) {
  Locks locks;
  EXPECT_FALSE(locks.try_take(id("A-1"), {{"vm/a", false}, {"cluster", true}}));
  EXPECT_FALSE(locks.try_take(id("A-2"), {{"vm/b", false}, {"cluster", true}}));
  EXPECT_TRUE(locks.try_take(id("A-3"), {{"cluster", false}}));
  locks.release(id("A-1"));
  EXPECT_EQ(locks.try_take(id("A-3"), {{"cluster", false}}), id("A-2"));
}

}  // namespace
}  // namespace mcv
