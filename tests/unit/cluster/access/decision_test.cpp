// SPDX-License-Identifier: Apache-2.0
#include "cluster/access/decision.h"

#include <gtest/gtest.h>

namespace mcv::access::decision_test {
namespace {

const UserName alice = UserName::trusted("alice");
const UserName bob = UserName::trusted("bob");
const GroupName ops = GroupName::trusted("ops");
const VmName vm1 = VmName::trusted("vm1");
const VmName vm2 = VmName::trusted("vm2");

Identity account(const char* name, std::uint32_t uid = 1000) { return {uid, UserName::trusted(name)}; }

Mutation a_vm(const VmName& name) {
  VmRecord vm;
  vm.name = name;
  vm.uuid = "uuid-of-" + name.str();
  vm.owner = NodeName::trusted("A");
  return mcv::put_new(vm);
}

Mutation give(Grantee grantee, Role role, std::optional<VmName> vm = std::nullopt) {
  GrantRecord grant{std::move(grantee), role, {}};
  if (vm) grant.vm = GrantedVm{*vm, "uuid-of-" + vm->str()};
  return put_new(grant);
}

ClusterState with(std::vector<Mutation> more = {}) {
  Change change{"c", "", {put_new(UserRecord{alice}), put_new(UserRecord{bob}), put_new(GroupRecord{ops, {bob}}), a_vm(vm1), a_vm(vm2)}};
  change.mutations.insert(change.mutations.end(), more.begin(), more.end());
  ClusterState state;
  const Status applied = state.apply(change, 1);
  EXPECT_TRUE(applied.ok()) << applied.error().to_text();
  return state;
}

bool allows(const ClusterState& state, const Identity& who, Permission permission, const Scope& scope) {
  const Decision decision = may(state, who, permission, scope);
  EXPECT_FALSE(decision.reason.empty());
  EXPECT_EQ(decision.next.empty(), decision.allowed) << decision.next;
  EXPECT_EQ(decision.to_status().ok(), decision.allowed);
  return decision.allowed;
}

TEST(Permissions, HaveTextsOfTheirOwnAndEachRoleIncludesTheOneBefore) {
  std::set<std::string_view> texts;
  for (const Permission permission : all_permissions()) {
    EXPECT_TRUE(texts.insert(to_text(permission)).second) << to_text(permission);
    EXPECT_EQ(*permission_from_text(to_text(permission)), permission);
    EXPECT_TRUE(includes(Role::administrator, permission));
    EXPECT_LE(includes(Role::viewer, permission), includes(Role::operate, permission));
    EXPECT_LE(includes(Role::operate, permission), includes(Role::owner, permission));
  }
  EXPECT_FALSE(permission_from_text("vm.fly").ok());
}

TEST(May, RootDoesEverythingAndNobodyElseByDefault) {
  const ClusterState state = with();
  for (const Permission permission : all_permissions()) {
    for (const Scope& scope : {Scope::cluster(), Scope::vm(vm1), Scope::somewhere()}) {
      EXPECT_TRUE(allows(state, {0, {}}, permission, scope));
      const bool takes_none = !least_role(permission);
      EXPECT_EQ(allows(state, account("alice"), permission, scope), takes_none) << to_text(permission);
      EXPECT_EQ(allows(state, account("carol"), permission, scope), takes_none) << "no user at all";
      EXPECT_FALSE(allows(state, {1000, {}}, permission, scope)) << "a uid without a name";
      EXPECT_FALSE(allows(state, Identity{}, permission, scope)) << "nobody";
    }
  }
}

TEST(May, AnAccountNamedRootIsNotRoot) { EXPECT_FALSE(allows(with(), account("root", 1000), Permission::vm_list, Scope::somewhere())); }

TEST(May, ARoleIsOfTheNameAndNotOfOneThatBeginsAlike) {
  const UserName longer = UserName::trusted("alice2");
  const GroupName group = GroupName::trusted("alice");
  const ClusterState state = with({put_new(UserRecord{longer}), put_new(GroupRecord{group, {bob}}), give(longer, Role::owner), give(group, Role::viewer)});
  EXPECT_FALSE(allows(state, account("alice"), Permission::vm_list, Scope::cluster()));
  EXPECT_TRUE(allows(state, account("alice2"), Permission::vm_update, Scope::cluster()));
  EXPECT_TRUE(allows(state, account("bob"), Permission::vm_list, Scope::cluster()));
  EXPECT_FALSE(allows(state, account("bob"), Permission::vm_update, Scope::cluster()));
}

TEST(May, ARoleGivenEverywhereHoldsEverywhere) {
  const ClusterState state = with({give(alice, Role::operate)});
  const Identity who = account("alice");
  for (const Scope& scope : {Scope::cluster(), Scope::vm(vm1), Scope::somewhere(), Scope::vm(VmName::trusted("not-there"))}) {
    EXPECT_TRUE(allows(state, who, Permission::vm_start, scope));
    EXPECT_TRUE(allows(state, who, Permission::vm_show, scope));
    EXPECT_FALSE(allows(state, who, Permission::vm_delete, scope));
  }
  EXPECT_TRUE(allows(state, who, Permission::cluster_show, Scope::cluster()));
  EXPECT_FALSE(allows(state, who, Permission::cluster_update, Scope::cluster()));
  EXPECT_FALSE(allows(state, account("bob"), Permission::vm_show, Scope::vm(vm1)));
}

TEST(May, ARoleForOneVmHoldsThereAlone) {
  const ClusterState state = with({give(alice, Role::owner, vm1)});
  const Identity who = account("alice");
  EXPECT_TRUE(allows(state, who, Permission::vm_delete, Scope::vm(vm1)));
  EXPECT_TRUE(allows(state, who, Permission::vm_list, Scope::somewhere()));
  EXPECT_FALSE(allows(state, who, Permission::vm_show, Scope::vm(vm2)));
  EXPECT_FALSE(allows(state, who, Permission::vm_show, Scope::cluster()));
  EXPECT_FALSE(allows(state, who, Permission::vm_create, Scope::somewhere())) << "is never for one VM";
  EXPECT_FALSE(allows(state, who, Permission::cluster_show, Scope::somewhere()));
  EXPECT_FALSE(allows(state, who, Permission::vm_override_verify, Scope::vm(vm1)));
  EXPECT_FALSE(allows(state, who, Permission::vm_boot_files, Scope::vm(vm1)));
}

TEST(May, AGroupGivesWhileOneIsItsMember) {
  const ClusterState state = with({give(ops, Role::viewer, vm2)});
  EXPECT_TRUE(allows(state, account("bob"), Permission::vm_show, Scope::vm(vm2)));
  EXPECT_FALSE(allows(state, account("alice"), Permission::vm_show, Scope::vm(vm2)));
  EXPECT_NE(may(state, account("bob"), Permission::vm_show, Scope::vm(vm2)).reason.find("through the group ops"), std::string::npos);
}

TEST(May, AVmThatTookTheNameOfAnotherIsNotCovered) {
  ClusterState state = with({give(alice, Role::owner, vm1)});
  Change other{"d", "", {erase_at(state, Kind::vm, "vm1")}};
  ASSERT_TRUE(state.apply(other, 2).ok());
  EXPECT_FALSE(allows(state, account("alice"), Permission::vm_show, Scope::vm(vm1)));
  VmRecord vm;
  vm.name = vm1;
  vm.uuid = "another";
  vm.owner = NodeName::trusted("A");
  ASSERT_TRUE(state.apply(Change{"e", "", {mcv::put_new(vm)}}, 3).ok());
  EXPECT_FALSE(allows(state, account("alice"), Permission::vm_show, Scope::vm(vm1)));
  EXPECT_TRUE(roles_of(state, account("alice")).empty());
}

TEST(May, SaysWhyAndWhatToType) {
  const ClusterState state = with({give(alice, Role::viewer, vm1), give(bob, Role::operate)});
  const Decision no = may(state, account("alice"), Permission::vm_start, Scope::vm(vm1));
  EXPECT_EQ(no.reason, "'vm.start' on vm1 takes the role operator, and alice has viewer on vm1");
  EXPECT_EQ(no.next, "an administrator types: hvctl grant add --user alice --role operator --vm vm1");
  const Decision whole = may(state, account("bob"), Permission::cluster_update, Scope::cluster());
  EXPECT_EQ(whole.reason, "'cluster.update' takes the role administrator everywhere, and bob has operator everywhere");
  EXPECT_EQ(whole.next, "an administrator types: hvctl grant add --user bob --role administrator");
  const Decision stranger = may(state, account("carol"), Permission::vm_list, Scope::somewhere());
  EXPECT_EQ(stranger.reason, "carol is no user of this cluster");
  EXPECT_EQ(stranger.next, "an administrator types: hvctl user add carol");
  const Decision yes = may(state, account("bob"), Permission::vm_start, Scope::vm(vm1));
  EXPECT_EQ(yes.reason, "bob has the role operator everywhere, which includes 'vm.start'");
  EXPECT_EQ(may(state, account("alice"), Permission::vm_start, Scope::vm(VmName::trusted("vm9"))).to_status().error().code(), ErrorCode::permission_denied);
}

TEST(Sights, AreWhatARoleCovers) {
  const ClusterState state = with({give(alice, Role::owner, vm1), give(alice, Role::viewer, vm2), give(ops, Role::operate)});
  const Sight viewed(state, account("alice"), Permission::vm_show);
  EXPECT_FALSE(viewed.everything());
  EXPECT_TRUE(viewed.covers(vm1) && viewed.covers(vm2));
  EXPECT_FALSE(Sight(state, account("alice"), Permission::vm_start).covers(vm2));
  EXPECT_FALSE(Sight(state, account("alice"), Permission::cluster_show).everything());
  EXPECT_TRUE(Sight(state, account("bob"), Permission::vm_show).everything());
  EXPECT_TRUE(Sight(state, {0, {}}, Permission::cluster_update).everything());
  EXPECT_FALSE(Sight(state, account("carol"), Permission::vm_show).covers(vm1));
}

}  // namespace
}  // namespace mcv::access::decision_test
