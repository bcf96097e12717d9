// SPDX-License-Identifier: Apache-2.0
#include "cluster/access/changes.h"

#include <gtest/gtest.h>

#include "cluster/access/decision.h"

namespace mcv::access::changes_test {
namespace {

const UserName alice = UserName::trusted("alice");
const UserName bob = UserName::trusted("bob");
const GroupName ops = GroupName::trusted("ops");
const VmName vm1 = VmName::trusted("vm1");

class Access : public testing::Test {
 protected:
  Access() {
    VmRecord vm;
    vm.name = vm1;
    vm.uuid = "u1";
    vm.owner = NodeName::trusted("A");
    EXPECT_TRUE(state_.apply(Change{"c", "", {mcv::put_new(vm)}}, ++index_).ok());
  }
  void must(const Result<Changes>& changes) {
    ASSERT_TRUE(changes.ok()) << changes.error().to_text();
    EXPECT_FALSE(changes->summary.empty());
    const Status applied = state_.apply(Change{"c", changes->summary, changes->mutations}, ++index_);
    ASSERT_TRUE(applied.ok()) << applied.error().to_text();
  }
  static ErrorCode code(const Result<Changes>& changes) {
    EXPECT_FALSE(changes.ok());
    if (changes.ok()) return ErrorCode::internal;
    EXPECT_FALSE(changes.error().next().empty()) << changes.error().to_text();
    return changes.error().code();
  }
  bool may_start(const UserName& user) { return may(state_, {1000, user}, Permission::vm_start, Scope::vm(vm1)).allowed; }

  ClusterState state_;
  std::uint64_t index_ = 0;
};

TEST_F(Access, AUserIsAddedOnceAndRootNever) {
  must(add_user(state_, {alice}));
  EXPECT_EQ(code(add_user(state_, {alice})), ErrorCode::already_exists);
  EXPECT_EQ(code(add_user(state_, {UserName::trusted("root")})), ErrorCode::bad_request);
  EXPECT_EQ(code(remove_user(state_, bob)), ErrorCode::not_found);
}

TEST_F(Access, AUserThatIsRemovedLeavesNothingToALaterOne) {
  must(add_user(state_, {alice}));
  must(create_group(state_, {ops}));
  must(add_member(state_, ops, alice));
  must(add_grant(state_, {alice, Role::operate, vm1}));
  must(add_grant(state_, {ops, Role::operate, {}}));
  EXPECT_TRUE(may_start(alice));
  must(remove_user(state_, alice));
  EXPECT_FALSE(may_start(alice));
  must(add_user(state_, {alice}));
  EXPECT_FALSE(may_start(alice));
  EXPECT_TRUE(find_group(state_, ops)->members.empty());
  EXPECT_EQ(grants(state_).size(), 1u);
}

TEST_F(Access, AGroupGivesItsRolesToItsMembers) {
  must(add_user(state_, {alice}));
  must(create_group(state_, {ops}));
  EXPECT_EQ(code(create_group(state_, {ops})), ErrorCode::already_exists);
  EXPECT_EQ(code(add_member(state_, ops, bob)), ErrorCode::not_found);
  EXPECT_EQ(code(add_member(state_, GroupName::trusted("none"), alice)), ErrorCode::not_found);
  must(add_grant(state_, {ops, Role::operate, {}}));
  EXPECT_FALSE(may_start(alice));
  must(add_member(state_, ops, alice));
  EXPECT_EQ(code(add_member(state_, ops, alice)), ErrorCode::already_exists);
  EXPECT_TRUE(may_start(alice));
  must(remove_member(state_, ops, alice));
  EXPECT_FALSE(may_start(alice));
  EXPECT_EQ(code(remove_member(state_, ops, alice)), ErrorCode::not_found);
  must(delete_group(state_, ops));
  EXPECT_TRUE(grants(state_).empty());
  EXPECT_EQ(code(delete_group(state_, ops)), ErrorCode::not_found);
}

TEST_F(Access, ARoleIsGivenAndTakenBack) {
  EXPECT_EQ(code(add_grant(state_, {alice, Role::operate, {}})), ErrorCode::not_found);
  EXPECT_EQ(code(add_grant(state_, {ops, Role::operate, {}})), ErrorCode::not_found);
  must(add_user(state_, {alice}));
  EXPECT_EQ(code(add_grant(state_, {alice, Role::operate, VmName::trusted("vm9")})), ErrorCode::not_found);
  EXPECT_EQ(code(add_grant(state_, {alice, Role::administrator, vm1})), ErrorCode::bad_request);
  must(add_grant(state_, {alice, Role::operate, vm1}));
  EXPECT_EQ(code(add_grant(state_, {alice, Role::operate, vm1})), ErrorCode::already_exists);
  EXPECT_TRUE(may_start(alice));
  EXPECT_EQ(code(remove_grant(state_, {alice, Role::owner, vm1})), ErrorCode::not_found);
  EXPECT_EQ(code(remove_grant(state_, {alice, Role::operate, {}})), ErrorCode::not_found);
  must(remove_grant(state_, {alice, Role::operate, vm1}));
  EXPECT_FALSE(may_start(alice));
}

TEST_F(Access, ARoleForAVmThatIsGoneCanBeTakenBackAndGivenForItsNamesake) {
  must(add_user(state_, {alice}));
  must(add_grant(state_, {alice, Role::operate, vm1}));
  VmRecord other = *state_.vm(vm1);
  other.uuid = "u2";
  ASSERT_TRUE(state_.apply(Change{"c", "", {erase_at(state_, Kind::vm, "vm1")}}, ++index_).ok());
  ClusterState gone = state_;
  ASSERT_TRUE(remove_grant(gone, {alice, Role::operate, vm1}).ok());
  ASSERT_TRUE(state_.apply(Change{"c", "", {mcv::put_new(other)}}, ++index_).ok());
  EXPECT_FALSE(may_start(alice));
  must(add_grant(state_, {alice, Role::operate, vm1}));
  EXPECT_TRUE(may_start(alice));
}

TEST(AccessRequests, AreReadStrictly) {
  EXPECT_TRUE(requests::add_user({{"name", "alice"}}).ok());
  EXPECT_FALSE(requests::add_user({{"name", "1000"}}).ok());
  EXPECT_FALSE(requests::add_user({{"name", "alice"}, {"password", "x"}}).ok());
  EXPECT_FALSE(requests::add_user(Json::object()).ok());
  EXPECT_TRUE(requests::create_group({{"name", "ops"}}).ok());
  EXPECT_TRUE(requests::add_member({{"user", "alice"}}).ok());
  EXPECT_EQ(requests::grant({{"user", "alice"}, {"role", "operator"}, {"vm", "vm1"}})->role, Role::operate);
  EXPECT_EQ(requests::grant({{"group", "ops"}, {"role", "viewer"}})->grantee, Grantee(ops));
  EXPECT_FALSE(requests::grant({{"role", "viewer"}}).ok());
  EXPECT_FALSE(requests::grant({{"user", "alice"}, {"group", "ops"}, {"role", "viewer"}}).ok());
  EXPECT_FALSE(requests::grant({{"user", "alice"}, {"role", "superuser"}}).ok());
  EXPECT_FALSE(requests::grant({{"user", "alice"}, {"role", "viewer"}, {"vms", "vm1"}}).ok());
}

}  // namespace
}  // namespace mcv::access::changes_test
