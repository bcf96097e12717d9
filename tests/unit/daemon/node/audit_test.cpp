// SPDX-License-Identifier: Apache-2.0
// The audit of whole daemons: each changing request has one row, on both nodes before the answer, and never what was in its body.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "cluster/model/access_records.h"
#include "cluster/model/audit_row.h"
#include "cluster/store/abilities.h"
#include "two_nodes.h"
#include "world/api_contract.h"

namespace mcv::test::audit_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
constexpr std::uint32_t alice_uid = 1000;

class Audit : public testing::Test {
 protected:
  Audit() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    for (const std::size_t node : TwoNodes::both) nodes.machine(node).accounts = {{alice_uid, "alice"}};
    nodes.must(a, "POST", "/v1/users", {{"name", "alice"}});
    nodes.pass(1s);
  }
  /// Newest first, as one node tells it.
  std::vector<Json> rows(std::size_t node, const std::string& query = "") {
    const auto answer = nodes.ask(node, "GET", "/v1/audit" + query);
    EXPECT_TRUE(answer.ok()) << (answer.error ? answer.error->to_text() : "");
    if (!answer.ok()) return {};
    return answer.body.at("rows").get<std::vector<Json>>();
  }
  /// What is in a node's own store, whoever wrote it.
  std::vector<Json> stored(std::size_t node) { return stored_in(nodes, node); }
  static std::vector<Json> stored_in(TwoNodes& nodes, std::size_t node) {
    std::vector<Json> list;
    const auto& tables = nodes.store(node).tables;
    if (const auto records = tables.find("node_record"); records != tables.end()) {
      for (const auto& [key, text] : records->second) {
        const Json json = *parse_json(text);
        if (json.value("kind", "") == "audit") list.push_back(json.at("body"));
      }
    }
    for (const auto& [key, text] : tables.at("log")) {
      const Json entry = *parse_json(text);
      const auto change = parse_json(entry.value("bytes", std::string()));
      if (change.ok() && change->is_object() && change->contains("audit")) {
        Json row = change->at("audit");
        row["id"] = change->at("id");
        row["text"] = change->at("summary");
        list.push_back(std::move(row));
      }
    }
    return list;
  }
  std::size_t stored_of(std::size_t node, const std::string& action) {
    const std::vector<Json> list = stored(node);
    return static_cast<std::size_t>(std::count_if(list.begin(), list.end(), [&](const Json& row) { return row.value("action", "") == action; }));
  }
  void wait_for_operations(std::size_t node) {
    nodes.run_events([&] { return nodes.daemon(node).operations.running() == 0; }, 300s);
  }
  void give(Role role, const char* vm) {
    nodes.must(a, "POST", "/v1/grants", {{"user", "alice"}, {"role", to_text(role)}, {"vm", vm}});
    nodes.pass(1s);
  }

  TwoNodes nodes;
};

TEST_F(Audit, AChangeCarriesItsRow) {
  const std::size_t records = nodes.store(a).tables.at("node_record").size();
  const auto changed = nodes.ask(b, "PATCH", "/v1/vms/vm1", {{"cpus", 2}});
  ASSERT_TRUE(changed.ok());
  EXPECT_FALSE(changed.body.contains("audit"));
  for (const std::size_t node : {a, b}) {
    const Json row = rows(node).front();
    EXPECT_EQ(row.at("user"), "root");
    EXPECT_EQ(row.at("entered"), "B");
    EXPECT_EQ(row.at("action"), "vm.update");
    EXPECT_EQ(row.at("vms"), Json::array({"vm1"}));
    EXPECT_EQ(row.at("text"), "vm1 updated: cpus 1 -> 2");
    EXPECT_EQ(row.at("result"), "done");
    EXPECT_EQ(stored_of(node, "vm.update"), 1u);
  }
  EXPECT_EQ(nodes.store(a).tables.at("node_record").size(), records) << "nothing else was written for it";
}

TEST_F(Audit, AnOperationHasARowBeforeTheAnswerAndItsEndAfterwards) {
  give(Role::operate, "vm1");
  const auto begun = nodes.ask_as(alice_uid, a, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(begun.ok());
  EXPECT_FALSE(begun.body.contains("audit"));
  for (const std::size_t node : {a, b}) EXPECT_EQ(stored_of(node, "vm.start"), 1u) << "on both, when it is answered";
  wait_for_operations(a);
  nodes.pass(5s);
  for (const std::size_t node : {a, b}) {
    const Json row = rows(node, "?action=vm.start").front();
    EXPECT_EQ(row.at("user"), "alice");
    EXPECT_EQ(row.at("result"), "succeeded");
    EXPECT_EQ(row.at("operation"), begun.body.at("operation").at("id"));
    EXPECT_EQ(row.at("text"), "start vm1 on A");
    EXPECT_EQ(row.at("request"), "POST /v1/vms/vm1/start");
  }
}

TEST_F(Audit, WhatGoesToTheOtherNodeHasOneRow) {
  give(Role::operate, "vm1");
  ASSERT_TRUE(nodes.ask_as(alice_uid, b, "POST", "/v1/vms/vm1/start", Json::object()).ok());
  wait_for_operations(a);
  EXPECT_TRUE(nodes.ask_as(alice_uid, b, "POST", "/v1/vms/vm1/start", Json::object()).error.has_value()) << "it runs";
  nodes.pass(5s);
  const std::vector<Json> all = rows(a, "?action=vm.start");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("result"), "refused");
  EXPECT_EQ(all[0].at("error"), "guest-running");
  for (const Json& row : all) {
    EXPECT_EQ(row.at("entered"), "B");
    EXPECT_EQ(row.at("node"), "A");
    EXPECT_EQ(row.at("user"), "alice");
  }
  EXPECT_EQ(rows(b, "?action=vm.start").size(), 2u);
}

TEST_F(Audit, ANodeThatDoesNotAnswerIsNoNodeThatHasIt) {
  nodes.end_daemon(a);
  nodes.pass(30s);
  const auto refused = nodes.ask(b, "POST", "/v1/vms/vm1/stop", Json::object());
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::peer_unreachable);
  const auto answer = nodes.ask(b, "GET", "/v1/audit?action=vm.stop");
  ASSERT_EQ(answer.body.at("rows").size(), 1u) << "B has it: nobody else can";
  EXPECT_EQ(answer.body.at("rows")[0].at("error"), "peer-unreachable");
  EXPECT_EQ(answer.body.at("silent"), Json::array({"A"}));
  nodes.start_daemon(a);
  nodes.pass(60s);
  EXPECT_EQ(rows(a, "?action=vm.stop").size(), 1u) << "and gives it when A is back";
  EXPECT_EQ(stored_of(a, "vm.stop"), 1u);
}

TEST_F(Audit, OnOneNodeIsSaid) {
  nodes.switch_off(b);
  nodes.pass(30s);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  const auto begun = nodes.ask(a, "POST", "/v1/vms/vm1/kill", Json::object());
  ASSERT_TRUE(begun.ok());
  EXPECT_EQ(begun.body.at("audit"), "single node");
  const Json confirmed = rows(a, "?action=cluster.confirm-down").front();
  EXPECT_EQ(confirmed.at("result"), "done");
  nodes.switch_on(b);
  nodes.pass(120s);
  EXPECT_EQ(stored_of(b, "vm.kill"), 1u);
  EXPECT_EQ(stored_of(b, "cluster.confirm-down"), 1u);
}

TEST_F(Audit, AClusterOfOneHasBothNodesItHas) {
  TwoNodes alone;
  alone.initialise(a);
  const auto made = alone.ask(a, "POST", "/v1/networks", {{"name", "lan"}, {"bridge", "br0"}});
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made.body.contains("audit"));
  const auto invited = alone.ask(a, "POST", "/v1/cluster/connect-string", Json::object());
  ASSERT_TRUE(invited.ok());
  EXPECT_FALSE(invited.body.contains("audit"));
  EXPECT_GE(alone.ask(a, "GET", "/v1/audit").body.at("rows").size(), 3u);
}

TEST_F(Audit, WhoOnlyLooksHasNone) {
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  nodes.pass(5s);
  const std::size_t before = stored(a).size();
  for (const char* target : {"/v1/info", "/v1/vms", "/v1/vms/vm1", "/v1/audit", "/v1/operations", "/v1/whoami"}) nodes.ask(a, "GET", target);
  nodes.ask(a, "POST", "/v1/networks?dry_run=true", {{"name", "dmz"}, {"bridge", "br0"}});
  nodes.ask(a, "DELETE", "/v1/vms/vm1?dry_run=true");
  nodes.ask(a, "POST", "/v1/vms/vm1/resync", {{"check_only", true}});
  nodes.ask(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"check_only", true}});
  nodes.ask(a, "GET", "/v1/no-such-route");
  EXPECT_EQ(stored(a).size(), before);
  nodes.console(a, "vm1");
  EXPECT_EQ(stored_of(a, "vm.console"), 1u) << "there one can type";
  nodes.console(b, "vm1");
  nodes.pass(5s);
  EXPECT_EQ(stored_of(a, "vm.console"), 2u);
  EXPECT_EQ(stored_of(b, "vm.console"), 2u);
}

TEST_F(Audit, RefusalsAreKeptAndDoNotFillTheDisk) {
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(nodes.ask_as(alice_uid, a, "DELETE", "/v1/vms/vm1").error);
  EXPECT_EQ(stored_of(a, "vm.delete"), 20u);
  EXPECT_TRUE(nodes.ask(a, "DELETE", "/v1/networks/none").error) << "of root";
  EXPECT_EQ(rows(a, "?action=network.delete").size(), 1u) << "another account has its own";
  nodes.pass(61s);
  EXPECT_TRUE(nodes.ask_as(alice_uid, a, "DELETE", "/v1/vms/vm1").error);
  const Json last = rows(a, "?user=alice&result=permission-denied").front();
  EXPECT_EQ(last.at("unheard"), 30);
  EXPECT_EQ(last.at("vms"), Json::array({"vm1"}));
}

TEST_F(Audit, WhoMayNotEvenLookOrAskIsInIt) {
  for (const auto& [method, target, action] : {std::tuple("GET", "/v1/audit", "audit.show"), std::tuple("GET", "/v1/vms/vm1", "vm.show"), std::tuple("DELETE", "/v1/vms/vm1?dry_run=true", "vm.delete")}) {
    EXPECT_EQ(nodes.ask_as(alice_uid, b, method, target).error->code(), ErrorCode::permission_denied);
    for (const std::size_t node : {a, b}) {
      EXPECT_EQ(stored_of(node, action), 1u) << target;
      EXPECT_EQ(rows(node, fmt::format("?user=alice&result=permission-denied&action={}", action)).size(), 1u) << target;
    }
  }
  // Of the other node's operation that node decides, and has the row.
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  const std::string operation = nodes.daemon(a).operations.list().front().id.str();
  nodes.create_vm("vm2");
  give(Role::viewer, "vm2");
  EXPECT_EQ(nodes.ask_as(alice_uid, b, "GET", "/v1/operations/" + operation).error->code(), ErrorCode::permission_denied);
  EXPECT_EQ(stored_of(b, "operation.show"), 1u);
  EXPECT_TRUE(nodes.ask(a, "GET", "/v1/vms/none").error) << "what is not there is no refusal of anybody";
  EXPECT_EQ(stored_of(a, "vm.show"), 1u);
}

TEST_F(Audit, WhoIsRefusedPushesNobodyElseOut) {
  nodes.daemon(a).audit.keep(40);
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  for (int minute = 0; minute < 12; ++minute) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(nodes.ask_as(alice_uid, a, "DELETE", "/v1/vms/vm1").error);
    nodes.pass(61s);
  }
  for (const std::size_t node : {a, b}) {
    EXPECT_EQ(stored_of(node, "vm.start"), 1u) << "whatever was asked since";
    EXPECT_LE(stored_of(node, "vm.delete"), 13u);
    EXPECT_GE(stored_of(node, "vm.delete"), 10u);
  }
  EXPECT_EQ(rows(a, "?action=vm.start").front().at("result"), "succeeded");
  // The same after a restart of the daemon, which counts anew.
  nodes.end_daemon(a);
  nodes.start_daemon(a);
  nodes.pass(30s);
  nodes.daemon(a).audit.keep(40);
  for (int minute = 0; minute < 4; ++minute) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(nodes.ask_as(alice_uid, a, "DELETE", "/v1/vms/vm1").error);
    nodes.pass(61s);
  }
  EXPECT_EQ(stored_of(a, "vm.start"), 1u);
  EXPECT_LE(stored_of(a, "vm.delete"), 13u);
}

TEST_F(Audit, AWordBesideAVmIsFoundByTheVm) {
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_TRUE(nodes.ask(a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}, {"wait_for_shutdown", true}}).ok());
  nodes.pass(5s);
  const std::string operation = nodes.daemon(a).operations.list().front().id.str();
  ASSERT_TRUE(nodes.ask(b, "POST", "/v1/operations/" + operation + "/cancel", Json::object()).ok());
  nodes.pass(5s);
  const std::vector<Json> cancelled = rows(b, "?vm=vm1&action=operation.cancel");
  ASSERT_EQ(cancelled.size(), 1u);
  EXPECT_EQ(cancelled[0].at("operation"), operation);
  EXPECT_NE(cancelled[0].at("text").get<std::string>().find("vm1"), std::string::npos) << cancelled[0].dump();
}

TEST_F(Audit, AWordOfAPersonIsKeptWithWhatItIsAbout) {
  EXPECT_TRUE(nodes.ask(a, "POST", "/v1/cluster/accept-copy", {{"volume", "vm1-0"}, {"may_be_older", true}}).error);
  EXPECT_EQ(rows(a, "?vm=vm1&action=cluster.accept-copy").size(), 1u) << "refused: B answers";
  nodes.switch_off(b);
  nodes.pass(30s);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  EXPECT_NE(rows(a, "?action=cluster.confirm-down").front().at("text").get<std::string>().find("while B is down"), std::string::npos);
}

/// Each is asked of the other node as it was asked of this one.
TEST_F(Audit, AFilterIsTheSameOnTheOtherNode) {
  for (const char* user : {"a%26limit%3D0", "100%25", "a%23b", "a%20b", "a%3Fb", "%C3%A4"}) {
    for (const std::size_t node : {a, b}) {
      const auto answer = nodes.ask(node, "GET", std::string("/v1/audit?user=") + user);
      ASSERT_TRUE(answer.ok()) << user;
      EXPECT_EQ(answer.body.at("silent"), Json::array()) << user;
      EXPECT_EQ(answer.body.at("rows"), Json::array()) << user;
    }
  }
}

TEST_F(Audit, ARoleThatWasGivenSaysToWhomAndOnWhat) {
  give(Role::owner, "vm1");
  const Json row = rows(b, "?vm=vm1&action=access").front();
  EXPECT_EQ(row.at("text"), "alice has the role owner on vm1");
  EXPECT_EQ(row.at("user"), "root");
  EXPECT_EQ(rows(b, "?action=access").size(), 2u);
  EXPECT_EQ(rows(b, "?action=access&since=99999999999").size(), 0u);
  EXPECT_EQ(rows(b, "?limit=1").size(), 1u);
  for (const char* query : {"?limit=0", "?limit=6000", "?since=-1", "?since=x", "?from=1"}) EXPECT_TRUE(nodes.ask(a, "GET", std::string("/v1/audit") + query).error) << query;
  EXPECT_EQ(nodes.ask_as(alice_uid, a, "GET", "/v1/audit").error->code(), ErrorCode::permission_denied);
}

TEST_F(Audit, WhyTheVerifyGateWasLiftedIsInIt) {
  ASSERT_TRUE(nodes.ask(a, "POST", "/v1/vms/vm1/start", {{"override", {{"reason", "the backup is older"}}}}).ok());
  EXPECT_EQ(rows(a, "?action=vm.start").front().at("text"), "start vm1 on A; whatever the verify said, because: the backup is older");
}

TEST_F(Audit, ANodeThatTookAWholeStateAsksTheOther) {
  nodes.switch_off(b);
  nodes.pass(30s);
  nodes.must(a, "POST", "/v1/cluster/confirm-down", {{"node", "B"}, {"is_powered_off", true}, {"nobody_let_it_carry_on", true}});
  for (int i = 0; i < 300; ++i) nodes.must(a, "PATCH", "/v1/vms/vm1", {{"delete_protection", i % 2 == 0}});
  nodes.switch_on(b);
  nodes.run_events([&] { return nodes.up(b) && nodes.daemon(b).shared.link().state == LinkState::together; }, 300s);
  nodes.pass(10s);
  EXPECT_LT(stored_of(b, "vm.update"), 300u) << "the log it was given does not reach back";
  EXPECT_EQ(rows(b, "?action=vm.update&limit=1000").size(), 300u);
}

TEST_F(Audit, BesideAnOlderBuildTheNodeThatWasEnteredKeepsIt) {
  nodes.upgrade(a, Abilities{newest_format, {feature::run_alone, feature::verify_desk, feature::access}});
  nodes.pass(10s);
  ASSERT_TRUE(nodes.ask(b, "POST", "/v1/vms/vm1/kill", Json::object()).ok());
  const std::vector<Json> own = stored(b);
  EXPECT_TRUE(std::any_of(own.begin(), own.end(), [](const Json& row) { return row.value("action", "") == "vm.kill" && row.value("node", "") == "B"; }));
}

TEST_F(Audit, TheOldestRowsAreForgotten) {
  AuditRow row;
  row.user = "root";
  row.action = "vm.kill";
  constexpr std::size_t kept = 40;
  nodes.daemon(a).audit.keep(kept);
  for (std::size_t i = 0; i < 3 * kept; ++i) ASSERT_TRUE(nodes.wait_for(a, nodes.daemon(a).audit.note(row)));
  nodes.pass(10s);
  for (const std::size_t node : {a, b}) {
    EXPECT_LE(stored_of(node, "vm.kill"), kept + kept / 4);
    EXPECT_GE(stored_of(node, "vm.kill"), kept);
  }
}

/// Each route with a body, each text in it a secret: refused or not, nothing of it is kept.
TEST_F(Audit, NeverHoldsWhatIsInABody) {
  const std::string secret = "hunter2";
  const auto& contract = sim::ApiContract::get();
  for (const auto& route : contract.routes()) {
    const Json* schema = contract.body_schema(route);
    if (schema == nullptr) continue;
    const Json properties = contract.resolved(*schema).value("properties", Json::object());
    Json body = Json::object();
    // A name is no secret: a group is made by nothing else.
    for (const auto& [key, value] : properties.items()) body[key] = key == "name" ? "named" : secret;
    std::string target = route.path;
    while (target.find('{') != std::string::npos) target.replace(target.find('{'), target.find('}') - target.find('{') + 1, "vm1");
    nodes.ask(a, route.method, target, body);
    nodes.pass(5s);
  }
  const Json vm = {{"kernel", "/srv/" + secret}, {"initramfs", ""}, {"cmdline", "password=" + secret}, {"firmware", ""}};
  ASSERT_TRUE(nodes.ask(a, "PATCH", "/v1/vms/vm1", {{"boot", vm}}).ok());
  nodes.pass(10s);
  for (const std::size_t node : {a, b}) {
    const std::string all = Json(stored(node)).dump() + Json(rows(node, "?limit=5000")).dump();
    EXPECT_EQ(all.find(secret), std::string::npos) << all.substr(all.find(secret) == std::string::npos ? 0 : all.find(secret) - 200, 400);
    EXPECT_NE(all.find("cluster.join"), std::string::npos);
  }
}

TEST_F(Audit, NeverHoldsAnInvitation) {
  TwoNodes pair;
  for (const std::size_t node : TwoNodes::both) pair.initialise(node);
  const std::string invited = pair.invitation(b);
  pair.must(a, "POST", "/v1/cluster/add-node", {{"connect_string", invited}, {"check_only", false}});
  pair.pass(10s);
  const std::string secret = invited.substr(invited.find(':') + 1, 40);
  for (const std::size_t node : TwoNodes::both) {
    const std::string all = Json(stored_in(pair, node)).dump();
    EXPECT_EQ(all.find(secret), std::string::npos);
    EXPECT_NE(all.find(node == a ? "cluster.add-node" : "cluster.join"), std::string::npos) << all;
  }
}

}  // namespace
}  // namespace mcv::test::audit_test
