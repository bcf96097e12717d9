// SPDX-License-Identifier: Apache-2.0
// A change carries who asked for it; the row outlives the log, and a history that is replaced.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "cluster/model/audit_row.h"
#include "cluster/store/log_store.h"
#include "pair_fixture.h"

namespace mcv::audit_keeping_test {
namespace {

class AuditKeeping : public test::PairTest {
 protected:
  static Change asked_by(const std::string& user, const std::string& id) {
    Change change = test::set("key", id);
    change.id = id;
    AuditRow row;
    row.user = user;
    row.entered = "A";
    row.action = "cluster.update";
    change.audit = row.to_json();
    return change;
  }
  /// Ids of all rows that are there.
  std::multiset<std::string> rows(test::TestNode& node, SharedState& state) {
    std::multiset<std::string> ids;
    const auto kept = clock.run(load_audit(node.host.store));
    EXPECT_TRUE(kept.ok());
    const std::vector<Json> in_log = audit_in(state.image());
    for (const std::vector<Json>* list : {&*kept, &in_log}) {
      for (const Json& json : *list) {
        const auto row = AuditRow::from_json(json);
        EXPECT_TRUE(row.ok());
        EXPECT_EQ(row->result, "done");
        EXPECT_FALSE(row->user.empty());
        ids.insert(row->id);
      }
    }
    return ids;
  }
};

TEST_F(AuditKeeping, ARowIsOnBothNodesWithTheChangeAndOutlivesTheLog) {
  join();
  std::multiset<std::string> wanted;
  for (int i = 0; i < 2'100; ++i) {
    const std::string id = fmt::format("change-{}", i);
    ASSERT_TRUE(clock.run(state_a->propose(i % 3 == 0 ? test::set("other", id) : asked_by("alice", id))).ok());
    if (i % 3 != 0) wanted.insert(id);
  }
  clock.run(state_b->wait_together(std::chrono::milliseconds(1000)));
  ASSERT_GT(state_a->image().log.begin()->first, 1u) << "the log has forgotten some";
  EXPECT_EQ(rows(a, *state_a), wanted);
  EXPECT_EQ(rows(b, *state_b), wanted);
  stop(state_a);
  load_a();
  EXPECT_EQ(rows(a, *state_a), wanted) << "after a restart";
}

TEST_F(AuditKeeping, AHistoryThatIsReplacedLeavesItsRows) {
  load_b();
  ASSERT_TRUE(clock.run(state_b->initialise()).ok());
  ASSERT_TRUE(clock.run(state_b->propose(asked_by("bob", "alone-on-b"))).ok());
  load_a();
  ASSERT_TRUE(clock.run(state_a->initialise()).ok());
  ASSERT_TRUE(clock.run(state_a->propose(asked_by("alice", "on-a"))).ok());
  ASSERT_TRUE(clock.run(state_b->adopt(state_a->snapshot())).ok());
  EXPECT_EQ(rows(b, *state_b), (std::multiset<std::string>{"alone-on-b", "on-a"}));
}

TEST_F(AuditKeeping, WhatIsRefusedOrNobodysHasNone) {
  join();
  Change refused = asked_by("alice", "refused");
  refused.mutations.front().expected_revision = 12'345;
  EXPECT_FALSE(clock.run(state_a->propose(refused)).ok());
  ASSERT_TRUE(clock.run(state_a->propose(test::set("key", "by-the-daemon"))).ok());
  EXPECT_TRUE(rows(a, *state_a).empty());
  EXPECT_EQ(test::set("key", "x").encode().find("audit"), std::string::npos) << "absent where nobody asked";
}

TEST_F(AuditKeeping, ABuildWithoutAnAuditReadsTheChange) {
  const Change change = asked_by("alice", "c");
  Json without = *parse_json(change.encode());
  without.erase("audit");
  const Change read = *Change::decode(change.encode());
  EXPECT_EQ(read.encode(), change.encode());
  EXPECT_EQ(Change::decode(canonical(without))->encode(), canonical(without));
}

}  // namespace
}  // namespace mcv::audit_keeping_test
