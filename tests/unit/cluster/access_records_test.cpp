// SPDX-License-Identifier: Apache-2.0
#include "cluster/model/access_records.h"

#include <gtest/gtest.h>

namespace mcv {
namespace {

const UserName alice = UserName::trusted("alice");
const UserName bob = UserName::trusted("bob");
const GroupName ops = GroupName::trusted("ops");

VmRecord some_vm(const std::string& uuid) {
  VmRecord vm;
  vm.name = VmName::trusted("vm1");
  vm.uuid = uuid;
  vm.owner = NodeName::trusted("A");
  return vm;
}

GrantRecord grant_on_vm(const std::string& uuid) { return {alice, Role::owner, GrantedVm{VmName::trusted("vm1"), uuid}}; }

ClusterState with(std::vector<Mutation> mutations, ClusterState state = {}) {
  const Status applied = state.apply(Change{"c", "", std::move(mutations)}, 1);
  EXPECT_TRUE(applied.ok()) << applied.error().to_text();
  return state;
}

std::optional<ErrorCode> refusal(const ClusterState& state, std::vector<Mutation> mutations) {
  const Status checked = state.check(Change{"c", "", std::move(mutations)});
  if (checked.ok()) return std::nullopt;
  EXPECT_FALSE(checked.error().message().empty());
  return checked.error().code();
}

TEST(UserNames, AreAsTheSystemSpellsThemAndNeitherNumbersNorOptions) {
  for (const char* good : {"alice", "_chrony", "a.b-c", "Alice", "alice@example.org"}) EXPECT_TRUE(UserName::parse(good).ok()) << good;
  for (const char* bad : {"", "1000", "0x", "-u", "a b", "a:b", "a/b", "dom\\alice", "a\n", "\xc3\xa4"}) EXPECT_FALSE(UserName::parse(bad).ok()) << bad;
  EXPECT_FALSE(UserName::parse(std::string(65, 'a')).ok());
}

TEST(AccessRecords, AreReadAsTheyWereWritten) {
  const GroupRecord group{ops, {alice, bob}};
  const GrantRecord everywhere{ops, Role::operate, {}};
  EXPECT_EQ(*UserRecord::from_json(UserRecord{alice}.to_json()), UserRecord{alice});
  EXPECT_EQ(*GroupRecord::from_json(group.to_json()), group);
  EXPECT_EQ(*GrantRecord::from_json(everywhere.to_json()), everywhere);
  EXPECT_EQ(*GrantRecord::from_json(grant_on_vm("u").to_json()), grant_on_vm("u"));
  EXPECT_EQ(everywhere.key(), "grant/group/ops/operator");
  EXPECT_EQ(grant_on_vm("u").key(), "grant/user/alice/owner/vm1");
  for (const Role role : {Role::viewer, Role::operate, Role::owner, Role::administrator}) EXPECT_EQ(*role_from_text(to_text(role)), role);
  EXPECT_FALSE(GrantRecord::from_json({{"role", "king"}, {"user", "alice"}}).ok());
  EXPECT_FALSE(GrantRecord::from_json({{"role", "viewer"}}).ok());
  EXPECT_FALSE(GrantRecord::from_json({{"role", "viewer"}, {"user", "alice"}, {"group", "ops"}}).ok());
}

TEST(AccessRecords, AreAbsentWhileUnused) {
  EXPECT_EQ(ClusterState().to_json(), Json::object());
  const ClusterState used = with({put_new(UserRecord{alice})});
  const ClusterState again = with({erase_at(used, Kind::setting, "user/alice")}, used);
  EXPECT_EQ(again.to_json(), Json::object());
  EXPECT_EQ(again.hash(), ClusterState().hash());
  EXPECT_TRUE(users(again).empty());
}

TEST(AccessRecords, AreFoundAmongOtherSettings) {
  const ClusterState state = with({put_setting({}, "drbd", "enabled"), put_setting({}, "users", "x"), put_new(UserRecord{alice}), put_new(UserRecord{bob}), put_new(GroupRecord{ops, {bob}}),
                                   put_new(GrantRecord{ops, Role::viewer, {}})});
  EXPECT_EQ(users(state), (std::vector<UserRecord>{{alice}, {bob}}));
  EXPECT_EQ(groups(state), (std::vector<GroupRecord>{{ops, {bob}}}));
  EXPECT_EQ(grants(state), (std::vector<GrantRecord>{{ops, Role::viewer, {}}}));
}

TEST(Apply, RefusesWhatIsNotWhatItsKeySays) {
  Mutation wrong = put_new(UserRecord{alice});
  wrong.key = "user/bob";
  EXPECT_EQ(refusal({}, {wrong}), ErrorCode::bad_request);
  Mutation king = put_new(GrantRecord{alice, Role::owner, {}});
  king.value = Json{{"user", "alice"}, {"role", "king"}};
  EXPECT_EQ(refusal({}, {put_new(UserRecord{alice}), king}), ErrorCode::bad_request);
  EXPECT_EQ(refusal({}, {put_setting({}, "user/alice", "yes")}), ErrorCode::bad_request);
}

TEST(Apply, GivesNothingToWhoIsNotThere) {
  EXPECT_EQ(refusal({}, {put_new(GrantRecord{alice, Role::viewer, {}})}), ErrorCode::not_found);
  EXPECT_EQ(refusal({}, {put_new(GrantRecord{ops, Role::viewer, {}})}), ErrorCode::not_found);
  EXPECT_EQ(refusal({}, {put_new(GroupRecord{ops, {alice}})}), ErrorCode::not_found);
  EXPECT_EQ(refusal({}, {put_new(GroupRecord{ops, {alice}}), put_new(UserRecord{alice})}), std::nullopt) << "in any order within one change";
}

TEST(Apply, GivesNothingOnAnotherVmThanWasMeant) {
  const ClusterState state = with({put_new(UserRecord{alice}), put_new(some_vm("u1"))});
  EXPECT_EQ(refusal(state, {put_new(grant_on_vm("u1"))}), std::nullopt);
  EXPECT_EQ(refusal(state, {put_new(grant_on_vm("u2"))}), ErrorCode::not_found);
}

TEST(Apply, KeepsWhoIsGrantedToOrMember) {
  const ClusterState state = with({put_new(UserRecord{alice}), put_new(UserRecord{bob}), put_new(GroupRecord{ops, {bob}}), put_new(GrantRecord{alice, Role::viewer, {}}), put_new(GrantRecord{ops, Role::viewer, {}})});
  EXPECT_EQ(refusal(state, {erase_at(state, Kind::setting, "user/alice")}), ErrorCode::revision_conflict) << "somebody gave it a role meanwhile";
  EXPECT_EQ(refusal(state, {erase_at(state, Kind::setting, "user/bob")}), ErrorCode::revision_conflict);
  EXPECT_EQ(refusal(state, {erase_at(state, Kind::setting, "group/ops")}), ErrorCode::revision_conflict);
  EXPECT_EQ(refusal(state, {erase_at(state, Kind::setting, "user/alice"), erase_at(state, Kind::setting, "grant/user/alice/viewer")}), std::nullopt);
}

TEST(Apply, AVmGoesWhateverWasGrantedOnItAndItsGrantHoldsForNoOther) {
  ClusterState state = with({put_new(UserRecord{alice}), put_new(some_vm("u1"))});
  state = with({put_new(grant_on_vm("u1"))}, state);
  state = with({erase_at(state, Kind::vm, "vm1")}, state);
  EXPECT_FALSE(is_current(state, *grant_on_vm("u1").vm));
  state = with({put_new(some_vm("u2"))}, state);
  EXPECT_FALSE(is_current(state, *grant_on_vm("u1").vm));
  EXPECT_TRUE(is_current(state, *grant_on_vm("u2").vm));
}

}  // namespace
}  // namespace mcv
