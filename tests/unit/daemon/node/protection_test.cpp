// SPDX-License-Identifier: Apache-2.0
// What protects a VM from hands, asked of whole daemons: the lock, the protection against deletion, two changes at once, and what a
// guest has only after it was started anew. The decisions are in plans/vm_plans_test.cpp and cluster/vm_lock_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "two_nodes.h"

namespace mcv::test::protection_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
constexpr std::uint32_t alice_uid = 1000;
constexpr std::uint32_t bob_uid = 1001;
constexpr std::uint32_t carol_uid = 1002;
const std::string vm1 = "/v1/vms/vm1";
constexpr std::uint64_t mib = 1 << 20;

class Protection : public testing::Test {
 protected:
  Protection() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    for (const std::size_t node : TwoNodes::both) nodes.machine(node).accounts = {{alice_uid, "alice"}, {bob_uid, "bob"}, {carol_uid, "carol"}};
    for (const char* user : {"alice", "bob", "carol"}) nodes.must(a, "POST", "/v1/users", {{"name", user}});
    for (const char* user : {"alice", "bob"}) nodes.must(a, "POST", "/v1/grants", {{"user", user}, {"role", "owner"}, {"vm", "vm1"}});
    nodes.must(a, "POST", "/v1/grants", {{"user", "carol"}, {"role", "administrator"}});
    nodes.pass(1s);
  }
  std::string code(std::uint32_t uid, std::size_t node, const std::string& method, const std::string& target, const Json& body = Json::object()) {
    const auto answer = nodes.ask_as(uid, node, method, target, body);
    if (!answer.answered) return "no answer";
    return answer.error ? std::string(to_text(answer.error->code())) : "ok";
  }
  Json shown(std::size_t node) { return nodes.ask(node, "GET", vm1).body; }
  VmRecord recorded(std::size_t node) { return *nodes.daemon(node).shared.current().vm(VmName::trusted("vm1")); }
  /// Until both nodes show it, and the clock's second is over: rows of one second are in no order.
  void lock_as_alice(std::size_t node = b) {
    ASSERT_EQ(code(alice_uid, node, "PATCH", vm1, {{"lock", {{"reason", "disk check"}}}}), "ok");
    nodes.pass(2s);
  }
  OperationView ended(const OperationId& id) {
    nodes.run_events([&] { return nodes.daemon(a).operations.get(id)->final(); }, 300s);
    return *nodes.daemon(a).operations.get(id);
  }

  TwoNodes nodes;
};

TEST_F(Protection, ALockIsSeenOnBothNodesWithOwnerReasonAndSince) {
  lock_as_alice();
  for (const std::size_t node : TwoNodes::both) {
    const Json lock = shown(node).at("lock");
    EXPECT_EQ(lock.at("by"), "alice");
    EXPECT_EQ(lock.at("reason"), "disk check");
    EXPECT_GT(lock.at("since").get<std::int64_t>(), 0);
    EXPECT_EQ(nodes.ask(node, "GET", "/v1/vms").body.at("vms").at(0).at("lock"), lock);
  }
}

TEST_F(Protection, ALockRefusesEveryChangeToEverybody) {
  lock_as_alice();
  const struct {
    const char* method;
    std::string target;
    Json body;
  } changes[] = {
      {"POST", vm1 + "/start", Json::object()},      {"POST", vm1 + "/stop", Json::object()},           {"POST", vm1 + "/kill", Json::object()},
      {"POST", vm1 + "/reset", Json::object()},      {"POST", vm1 + "/migrate", {{"node", "B"}}},       {"PATCH", vm1, {{"cpus", 2}}},
      {"PATCH", vm1, {{"delete_protection", true}}}, {"PATCH", vm1, {{"lock", {{"reason", "mine"}}}}},  {"DELETE", vm1, Json()},
      {"POST", vm1 + "/resync", Json::object()},     {"POST", vm1 + "/attach", Json::object()},
  };
  const VmRecord before = recorded(a);
  const std::size_t operations = nodes.daemon(a).operations.list().size();
  for (const auto& change : changes) {
    for (const char* dry : {"", "?dry_run=true"}) {
      for (const std::uint32_t uid : {alice_uid, bob_uid, carol_uid, 0u}) EXPECT_EQ(code(uid, uid % 2, change.method, change.target + dry, change.body), "vm-locked") << uid << " " << change.target << dry;
    }
  }
  const auto refused = nodes.ask(b, "POST", vm1 + "/start", Json::object());
  EXPECT_NE(refused.error->message().find("locked by alice since "), std::string::npos) << refused.error->message();
  EXPECT_NE(refused.error->message().find("disk check"), std::string::npos) << refused.error->message();
  EXPECT_EQ(refused.error->next(), "alice or an administrator types: hvctl vm update vm1 --unlock");
  EXPECT_EQ(recorded(a), before);
  EXPECT_EQ(nodes.daemon(a).operations.list().size(), operations);
  EXPECT_EQ(code(0, a, "POST", "/v1/verify", {{"vms", {"vm1"}}}), "ok") << "what compares is not held up";
}

TEST_F(Protection, ALockIsTakenOffByItsOwnerOrByAnAdministratorWhoNamesThem) {
  const Json unlock = {{"lock", nullptr}};
  const auto naming = [](const char* owner) { return Json{{"lock", nullptr}, {"lock_owner", owner}}; };
  lock_as_alice();
  EXPECT_EQ(code(bob_uid, a, "PATCH", vm1, unlock), "permission-denied");
  EXPECT_EQ(code(bob_uid, a, "PATCH", vm1, naming("alice")), "permission-denied") << "the VM is his, the lock is not";
  for (const std::uint32_t administrator : {carol_uid, 0u}) {
    EXPECT_EQ(code(administrator, a, "PATCH", vm1, unlock), "not-confirmed");
    EXPECT_EQ(code(administrator, a, "PATCH", vm1, naming("bob")), "not-confirmed");
    EXPECT_TRUE(recorded(a).lock.has_value());
    EXPECT_EQ(code(administrator, a, "PATCH", vm1, naming("alice")), "ok");
    EXPECT_FALSE(recorded(a).lock.has_value());
    lock_as_alice(a);
  }
  EXPECT_EQ(code(alice_uid, b, "PATCH", vm1, unlock), "ok") << "whichever node it is typed on";
  nodes.pass(1s);  // the answer came when it was durable on both; the other node shows it a moment later
  EXPECT_EQ(code(0, a, "PATCH", vm1, {{"lock", {{"reason", "audit"}}}}), "ok");
  EXPECT_EQ(code(alice_uid, a, "PATCH", vm1, naming("root")), "permission-denied");
  EXPECT_EQ(code(0, b, "PATCH", vm1, {{"lock", nullptr}, {"cpus", 2}}), "ok");
  nodes.pass(1s);
  EXPECT_EQ(recorded(a).cpus, 2u);
  EXPECT_EQ(code(0, a, "PATCH", vm1, {{"lock_owner", "alice"}}), "bad-request");
  EXPECT_EQ(code(0, a, "PATCH", vm1, {{"lock", {{"reason", " "}}}}), "bad-request");
}

TEST_F(Protection, TheAuditHasTheWholeLifeOfALock) {
  lock_as_alice();
  EXPECT_EQ(code(bob_uid, a, "PATCH", vm1, {{"cpus", 2}}), "vm-locked");
  nodes.pass(2s);
  EXPECT_EQ(code(carol_uid, a, "PATCH", vm1, {{"lock", nullptr}, {"lock_owner", "alice"}}), "ok");
  nodes.pass(5s);
  for (const std::size_t node : TwoNodes::both) {
    const Json rows = nodes.ask(node, "GET", "/v1/audit?action=vm.update").body.at("rows");
    ASSERT_EQ(rows.size(), 3u) << rows.dump();
    EXPECT_EQ(rows.at(2).at("text"), "vm1 updated: locked (disk check)");
    EXPECT_EQ(rows.at(2).at("user"), "alice");
    EXPECT_EQ(rows.at(1).at("user"), "bob");
    EXPECT_EQ(rows.at(1).at("error"), "vm-locked");
    EXPECT_EQ(rows.at(0).at("text"), "vm1 updated: lock of alice taken off (disk check)");
    EXPECT_EQ(rows.at(0).at("user"), "carol");
  }
}

TEST_F(Protection, AMoveThatWaitsMeetsTheLockAndIsNotRetriedUnderIt) {
  nodes.must(a, "POST", vm1 + "/start", Json::object());
  nodes.pass(30s);
  const auto moving = nodes.ask(a, "POST", vm1 + "/migrate", {{"node", "B"}, {"wait_for_shutdown", true}});
  ASSERT_TRUE(moving.ok());
  const auto id = OperationId::trusted(moving.body.at("operation").at("id").get<std::string>());
  nodes.pass(5s);
  lock_as_alice();
  nodes.shut_down_guest(a, "vm1");
  const OperationView view = ended(id);
  ASSERT_TRUE(view.error.has_value());
  EXPECT_NE(view.error->message().find("locked by alice since"), std::string::npos) << view.error->message();
  EXPECT_EQ(recorded(b).owner.str(), "A");
  EXPECT_NE(nodes.ask(b, "GET", "/v1/operations/" + id.str()).body.dump().find("locked by alice"), std::string::npos) << "op list and op show say why";
  const std::string retry = "/v1/operations/" + id.str() + "/retry";
  for (const char* dry : {"", "?dry_run=true"}) EXPECT_EQ(code(0, a, "POST", retry + dry), "vm-locked");
  EXPECT_EQ(code(alice_uid, a, "PATCH", vm1, {{"lock", nullptr}}), "ok");
  EXPECT_NE(code(0, a, "POST", retry), "vm-locked");
}

TEST_F(Protection, AGuestThatTurnsItselfOffIsClearedAwayUnderALock) {
  nodes.must(a, "POST", vm1 + "/start", Json::object());
  nodes.pass(30s);
  lock_as_alice();
  nodes.shut_down_guest(a, "vm1");
  nodes.pass(60s);
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::stopped);
  EXPECT_EQ(nodes.daemon(a).drbd.volumes().at("vm1-0").role, DiskRole::secondary);
}

TEST_F(Protection, ANodeThatIsShutDownStopsALockedGuest) {
  nodes.must(a, "POST", vm1 + "/start", Json::object());
  nodes.pass(30s);
  lock_as_alice();
  nodes.machine(a).shutting_down = true;
  const auto left = nodes.ask(a, "POST", "/v1/node/leave", Json::object());
  ASSERT_TRUE(left.ok()) << left.error->to_text();
  EXPECT_EQ(left.body.at("result").at("left"), true) << left.body.dump();
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).state, RunState::stopped);
  EXPECT_TRUE(recorded(b).lock.has_value());
}

TEST_F(Protection, DeletionIsRefusedUntilTheProtectionIsOff) {
  nodes.must(a, "PATCH", vm1, {{"delete_protection", true}});
  nodes.pass(1s);
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(shown(node).at("delete_protection"), true);
    const auto refused = nodes.ask(node, "DELETE", vm1);
    ASSERT_TRUE(refused.error.has_value());
    EXPECT_EQ(refused.error->code(), ErrorCode::vm_locked);
    EXPECT_EQ(refused.error->next(), "hvctl vm update vm1 --delete-protection off");
  }
  nodes.must(b, "PATCH", vm1, {{"delete_protection", false}});
  nodes.pass(1s);
  nodes.must(a, "DELETE", vm1, Json());
  nodes.pass(1s);
  EXPECT_FALSE(nodes.daemon(b).shared.current().vm(VmName::trusted("vm1")).ok());
}

TEST_F(Protection, TwoUpdatesAtOnceOnTwoNodesBothHold) {
  const auto begin = [&](std::size_t node, const Json& body) {
    api::ApiCall call;
    call.method = "PATCH";
    call.body = body.dump();
    return nodes.begin(node, std::move(call), vm1);
  };
  const VmRecord before = recorded(a);
  const auto memory = begin(a, {{"memory", 256 * mib}});
  const auto cpus = begin(b, {{"cpus", 3}});
  const auto protection = begin(a, {{"delete_protection", true}});
  nodes.run_events([&] { return memory->has_value() && cpus->has_value() && protection->has_value(); }, 60s);
  for (const auto& reply : {memory, cpus, protection}) {
    ASSERT_TRUE(reply->has_value());
    EXPECT_EQ(std::get_if<Error>(&**reply), nullptr) << std::get<Error>(**reply).to_text();
  }
  nodes.pass(1s);
  VmRecord expected = before;
  expected.memory = Bytes::mib(256);
  expected.cpus = 3;
  expected.delete_protection = true;
  for (const std::size_t node : TwoNodes::both) EXPECT_EQ(recorded(node), expected) << node;
}

TEST_F(Protection, WhatTheGuestDoesNotHaveYetIsPendingUntilItIsStartedAnew) {
  EXPECT_EQ(shown(a).at("pending"), Json::array());
  nodes.must(a, "PATCH", vm1, {{"cpus", 2}});
  EXPECT_EQ(shown(a).at("pending"), Json::array()) << "it does not run";
  nodes.must(a, "POST", vm1 + "/start", Json::object());
  nodes.pass(30s);
  EXPECT_EQ(shown(a).at("pending"), Json::array());
  nodes.must(b, "PATCH", vm1, {{"memory", 256 * mib}, {"boot", {{"cmdline", "quiet"}}}, {"autostart", true}});
  nodes.pass(1s);
  const Json expected = {{{"name", "memory"}, {"running", 128 * mib}, {"configured", 256 * mib}}, {{"name", "cmdline"}, {"running", "console=ttyS0"}, {"configured", "quiet"}}};
  for (const std::size_t node : TwoNodes::both) {
    EXPECT_EQ(shown(node).at("pending"), expected) << node;
    EXPECT_EQ(nodes.ask(node, "GET", "/v1/vms").body.at("vms").at(0).at("pending"), expected) << node;
  }
  nodes.must(a, "POST", vm1 + "/reset", Json::object());
  EXPECT_EQ(shown(a).at("pending"), expected) << "a reset keeps the VMM";
  nodes.end_daemon(a);
  nodes.start_daemon(a);
  nodes.pass(30s);
  EXPECT_EQ(shown(a).at("pending"), expected) << "whatever became of the daemon that started it";
  nodes.must(a, "PATCH", vm1, {{"boot", {{"cmdline", "console=ttyS0"}}}});
  nodes.pass(1s);
  EXPECT_EQ(shown(b).at("pending"), Json::array({expected.at(0)})) << "changed back, nothing is left to apply";
  nodes.must(a, "POST", vm1 + "/kill", Json::object());
  EXPECT_EQ(shown(b).at("pending"), Json::array());
  nodes.must(a, "POST", vm1 + "/start", Json::object());
  nodes.pass(30s);
  EXPECT_EQ(shown(b).at("pending"), Json::array());
  EXPECT_EQ(nodes.daemon(a).guests.facts(VmName::trusted("vm1")).started_with->memory, Bytes::mib(256));
}

}  // namespace
}  // namespace mcv::test::protection_test
