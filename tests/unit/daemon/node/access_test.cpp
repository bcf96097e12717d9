// SPDX-License-Identifier: Apache-2.0
// Who may do what, asked of whole daemons: every route by every role, a request that goes to the other node, roles that are taken
// back meanwhile, and a name service that hangs. The decision itself is in cluster/access/decision_test.cpp.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "cluster/access/decision.h"
#include "cluster/store/abilities.h"
#include "daemon/routes/judge.h"
#include "two_nodes.h"

namespace mcv::test::access_test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t a = TwoNodes::a;
constexpr std::size_t b = TwoNodes::b;
constexpr std::uint32_t alice_uid = 1000;
constexpr std::uint32_t bob_uid = 1001;
const UserName alice = UserName::trusted("alice");
const UserName bob = UserName::trusted("bob");

class Access : public testing::Test {
 protected:
  Access() {
    nodes.make_cluster();
    nodes.create_vm("vm1");
    nodes.create_vm("vm2");
    for (const std::size_t node : TwoNodes::both) nodes.machine(node).accounts = {{alice_uid, "alice"}, {bob_uid, "bob"}};
    must({put_new(UserRecord{alice})});
  }
  void must(std::vector<Mutation> mutations) {
    const Status done = nodes.propose(a, std::move(mutations));
    ASSERT_TRUE(done.ok()) << done.error().to_text();
    nodes.pass(1s);
  }
  GrantRecord grant_of(const UserName& user, Role role, const char* vm = nullptr) {
    GrantRecord grant{user, role, {}};
    if (vm != nullptr) grant.vm = GrantedVm{VmName::trusted(vm), nodes.daemon(a).shared.current().vm(VmName::trusted(vm))->uuid};
    return grant;
  }
  void give(const UserName& user, Role role, const char* vm = nullptr) { must({put_new(grant_of(user, role, vm))}); }
  void take_back(const GrantRecord& grant) { must({erase_at(nodes.daemon(a).shared.current(), Kind::setting, grant.key())}); }

  std::string code(std::uint32_t uid, std::size_t node, const std::string& method, const std::string& target, const Json& body = Json::object()) {
    const auto answer = nodes.ask_as(uid, node, method, target, body);
    if (!answer.answered) return "no answer";
    if (!answer.error) return "ok";
    if (answer.error->kind() == ErrorKind::denied) {
      EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    }
    return std::string(to_text(answer.error->code()));
  }
  std::size_t operations(std::size_t node) { return nodes.daemon(node).operations.list().size(); }
  void wait_for_operations(std::size_t node) {
    nodes.run_events([&] { return nodes.daemon(node).operations.running() == 0; }, 300s);
  }
  bool runs(const char* vm) { return nodes.daemon(a).guests.facts(VmName::trusted(vm)).state == RunState::running; }

  TwoNodes nodes;
};

constexpr const char* denied = "permission-denied";

TEST_F(Access, EveryRouteByEveryRoleIsAsTheTableSays) {
  std::ifstream file(std::string(MCV_TEST_DATA) + "/access/routes.txt");
  ASSERT_TRUE(file.good());
  std::ostringstream wanted;
  wanted << file.rdbuf();
  const auto state_with = [&](std::optional<GrantRecord> grant) {
    ClusterState state = nodes.daemon(a).shared.current();
    if (grant) {
      EXPECT_TRUE(state.apply(Change{"", "", {put_new(*grant)}}, 1'000'000).ok());
    }
    return state;
  };
  struct Column {
    const char* name;
    access::Identity who;
    ClusterState state;
  };
  const access::Identity user{alice_uid, alice};
  const std::vector<Column> columns = {{"stranger", {bob_uid, bob}, state_with({})},
                                       {"user", user, state_with({})},
                                       {"viewer@vm1", user, state_with(grant_of(alice, Role::viewer, "vm1"))},
                                       {"operator@vm1", user, state_with(grant_of(alice, Role::operate, "vm1"))},
                                       {"owner@vm1", user, state_with(grant_of(alice, Role::owner, "vm1"))},
                                       {"owner@vm2", user, state_with(grant_of(alice, Role::owner, "vm2"))},
                                       {"viewer", user, state_with(grant_of(alice, Role::viewer))},
                                       {"operator", user, state_with(grant_of(alice, Role::operate))},
                                       {"owner", user, state_with(grant_of(alice, Role::owner))},
                                       {"administrator", user, state_with(grant_of(alice, Role::administrator))},
                                       {"root", {0, {}}, state_with({})}};
  std::string found = "# SPDX-License-Identifier: Apache-2.0\n# Each route, asked for vm1 where it is of a VM, by whom in which role: yes or no (-). \"some\": only what the role covers.\n";
  found += fmt::format("{:<6} {:<38} {:<23} {:<8}", "#", "route", "permission", "reach");
  for (const Column& column : columns) found += fmt::format(" {}", column.name);
  found += "\n";
  const auto reach_text = [](api::Reach reach) { return reach == api::Reach::cluster ? "cluster" : reach == api::Reach::vm ? "vm" : "some"; };
  std::set<std::string> lines;
  for (const auto& route : nodes.api(a).router().routes()) {
    std::string line = fmt::format("{:<6} {:<38} {:<23} {:<8}", route.method, route.pattern, to_text(route.permission), reach_text(route.reach));
    api::ApiCall call;
    call.method = route.method;
    std::string target = route.pattern;
    for (const auto& [parameter, value] : {std::pair<std::string, std::string>{"{name}", "vm1"}, {"{id}", "A-1"}, {"{user}", "alice"}}) {
      if (const auto at = target.find(parameter); at != std::string::npos) target.replace(at, parameter.size(), value);
    }
    const auto admitted = nodes.api(a).router().admit(call, target);
    // Nobody: refused, whatever the route.
    EXPECT_EQ(admitted.ok() ? "admitted" : to_text(admitted.error().code()), denied) << line;
    call.caller.uid = 0;
    const auto roots = nodes.api(a).router().admit(call, target);
    ASSERT_TRUE(roots.ok()) << line;
    EXPECT_EQ(roots->route, &route) << line;
    ASSERT_EQ(roots->call.needs.size(), 1u) << line;
    for (const Column& column : columns) {
      const api::Need& need = roots->call.needs.front();
      line += fmt::format(" {:<{}}", access::may(column.state, column.who, need.permission, need.scope).allowed ? "yes" : "-", std::string_view(column.name).size());
    }
    lines.insert(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  for (const std::string& line : lines) found += line + "\n";
  EXPECT_EQ(found, wanted.str()) << found;
}

TEST_F(Access, NobodyDoesAnythingByDefault) {
  for (const std::uint32_t uid : {alice_uid, bob_uid, 4711u, static_cast<std::uint32_t>(-1)}) {
    EXPECT_EQ(code(uid, a, "GET", "/v1/info", Json()), denied) << uid;
    EXPECT_EQ(code(uid, a, "POST", "/v1/vms/vm1/start"), denied) << uid;
    EXPECT_EQ(code(uid, b, "POST", "/v1/vms/vm1/start"), denied) << uid << ": of the other node's VM";
    EXPECT_EQ(code(uid, a, "GET", "/v1/operations/A-1", Json()), denied) << uid;
    EXPECT_EQ(code(uid, a, "POST", "/v1/operations/A-1/retry"), denied) << uid;
  }
  EXPECT_FALSE(runs("vm1"));
  EXPECT_EQ(code(0, a, "GET", "/v1/info", Json()), "ok");
}

TEST_F(Access, ARoleForOneVmIsForThatOne) {
  give(alice, Role::operate, "vm1");
  const std::size_t before = operations(a);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms/vm2/start"), denied);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms/no-such-vm/start"), denied) << "nobody learns names by asking";
  EXPECT_EQ(code(alice_uid, a, "DELETE", "/v1/vms/vm1"), denied);
  EXPECT_EQ(code(alice_uid, a, "PATCH", "/v1/vms/vm1", {{"cpus", 2}}), denied);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/verify", {{"all", true}}), denied);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/verify", {{"vms", {"vm1", "vm2"}}}), denied);
  EXPECT_EQ(operations(a), before);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/verify", {{"vms", {"vm1"}}}), "ok");
  wait_for_operations(a);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms/vm1/start"), "ok");
  wait_for_operations(a);
  EXPECT_TRUE(runs("vm1"));
}

/// One VM that is seen, named as often as a body holds: judging each, and a row with all of them, would keep the daemon from everybody else.
TEST_F(Access, AVmNamedOftenIsNamedOnce) {
  give(alice, Role::operate, "vm1");
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/verify", {{"vms", std::vector<std::string>(1001, "vm1")}}), "too-large");
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/verify", {{"vms", std::vector<std::string>(1000, "vm1")}}), "ok");
  wait_for_operations(a);
  nodes.pass(2s);
  const Json rows = nodes.ask(a, "GET", "/v1/audit?user=alice&action=vm.verify&result=succeeded").body.at("rows");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].at("vms"), Json::array({"vm1"}));
}

TEST_F(Access, TheNameCountsNotTheNumberOfTheNodeThatWasEntered) {
  give(alice, Role::operate, "vm1");
  nodes.machine(a).accounts = {{alice_uid, "bob"}};
  nodes.machine(b).accounts = {{alice_uid, "bob"}, {5000, "alice"}};
  nodes.pass(20s);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms/vm1/start"), denied);
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/vms/vm1/start"), denied);
  EXPECT_EQ(code(5000, b, "POST", "/v1/vms/vm1/start"), "ok") << "A owns it, and has no account of that name";
  wait_for_operations(a);
  EXPECT_TRUE(runs("vm1"));
}

TEST_F(Access, WhereItIsCarriedOutItIsJudgedAgain) {
  give(alice, Role::operate, "vm1");
  const auto forwarded = [&](Json who) {
    host::HttpRequest request;
    request.method = "POST";
    request.target = "/peer/v1/api";
    Json body = {{"method", "POST"}, {"path", "/v1/vms/vm1/start"}, {"query", Json::object()}, {"body", "{}"}};
    body.update(who);
    request.body = body.dump();
    const auto reply = nodes.peer_request(nodes.peer_network(b), a, std::move(request));
    const Json answer = *parse_json(std::get<host::HttpResponse>(*reply).body);
    return answer.value("code", std::string("ok"));
  };
  EXPECT_EQ(forwarded({{"uid", 1001}, {"user", "bob"}}), denied);
  EXPECT_EQ(forwarded({{"uid", 1000}}), denied) << "a number is no name";
  EXPECT_EQ(forwarded({{"uid", 1000}, {"user", "root"}}), denied);
  EXPECT_EQ(forwarded({{"uid", 1000}, {"user", "../alice"}}), denied);
  EXPECT_FALSE(runs("vm1"));
  EXPECT_EQ(forwarded({{"uid", 1000}, {"user", "alice"}}), "ok");
}

TEST_F(Access, ARoleThatIsTakenBackMeanwhileStartsNothing) {
  give(alice, Role::owner, "vm1");
  ASSERT_EQ(code(alice_uid, a, "GET", "/v1/vms/vm1", Json()), "ok") << "its name is known now";
  const std::size_t before = operations(a);
  // A waits for B's answer about the guest as long as it may; the configuration goes another way.
  nodes.network().lose_answer_percent = 100;
  api::ApiCall call;
  call.method = "DELETE";
  const auto reply = nodes.begin_as(alice_uid, a, std::move(call), "/v1/vms/vm1");
  take_back(grant_of(alice, Role::owner, "vm1"));
  ASSERT_FALSE(reply->has_value()) << "it is still looking at the machines";
  nodes.run_events([&] { return reply->has_value(); }, 300s);
  ASSERT_TRUE(reply->has_value());
  const auto* error = std::get_if<Error>(&**reply);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::permission_denied) << error->to_text();
  EXPECT_EQ(operations(a), before);
}

TEST_F(Access, ANameServiceThatHangsKeepsNobodyElseOut) {
  give(alice, Role::operate);
  for (const std::size_t node : TwoNodes::both) nodes.machine(node).hanging_tools = {"getent"};
  std::vector<std::shared_ptr<std::optional<api::ApiReply>>> waiting;
  for (std::uint32_t i = 0; i < 40; ++i) {
    api::ApiCall call;
    call.method = "GET";
    waiting.push_back(nodes.begin_as(alice_uid + i % 20, a, std::move(call), "/v1/vms"));
  }
  EXPECT_EQ(code(0, a, "GET", "/v1/vms", Json()), "ok");
  EXPECT_EQ(code(0, a, "POST", "/v1/vms/vm1/start"), "ok");
  nodes.run_events([&] { return std::all_of(waiting.begin(), waiting.end(), [](const auto& reply) { return reply->has_value(); }); }, 10s);
  for (const auto& reply : waiting) {
    ASSERT_TRUE(reply->has_value()) << "within its bound";
    const auto* error = std::get_if<Error>(&**reply);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code(), ErrorCode::identity_unknown) << error->to_text();
    EXPECT_FALSE(error->next().empty());
  }
  for (const std::size_t node : TwoNodes::both) nodes.machine(node).hanging_tools.clear();
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/vms", Json()), "ok") << "it answers again";
  for (const std::size_t node : TwoNodes::both) nodes.machine(node).hanging_tools = {"getent"};
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/vms", Json()), "ok") << "a name just found is not asked for again";
  nodes.pass(20s);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/vms", Json()), "identity-unknown") << "but not for long";
}

TEST_F(Access, BesideAnOlderBuildRolesAreTakenBackButNotGiven) {
  give(alice, Role::operate);
  nodes.upgrade(a, Abilities{newest_format, {feature::run_alone, feature::verify_desk}});
  nodes.pass(10s);
  const Status refused = nodes.propose(b, {put_new(UserRecord{bob})});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::version_mismatch) << refused.error().to_text();
  EXPECT_FALSE(refused.error().next().empty());
  EXPECT_EQ(code(alice_uid, b, "GET", "/v1/vms", Json()), "ok");
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/vms/vm1/start"), "version-mismatch") << "A owns it and would not know alice";
  EXPECT_FALSE(runs("vm1"));
  EXPECT_EQ(code(0, b, "POST", "/v1/vms/vm1/start"), "ok");
  EXPECT_TRUE(nodes.propose(b, {erase_at(nodes.daemon(b).shared.current(), Kind::setting, "grant/user/alice/operator")}).ok());
  EXPECT_EQ(code(alice_uid, b, "GET", "/v1/vms", Json()), denied);
}

TEST_F(Access, AConsoleEndsWithTheRole) {
  give(alice, Role::operate, "vm1");
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  for (const std::size_t node : {a, b}) {
    api::ApiCall call;
    call.method = "GET";
    call.upgrade = "mcv-console";
    const auto reply = nodes.begin_as(alice_uid, node, std::move(call), "/v1/vms/vm1/console?replay=0");
    nodes.run_events([&] { return reply->has_value(); }, 60s);
    ASSERT_TRUE(reply->has_value());
    auto* upgraded = std::get_if<api::UpgradeReply>(&**reply);
    ASSERT_NE(upgraded, nullptr);
    nodes.type(node, *upgraded->stream, "before");
    const std::string typed = node == a ? "before" : "beforebefore";
    ASSERT_TRUE(nodes.run_events([&] { return nodes.typed_at_guest(a, "vm1") == typed; }, 10s));
    take_back(grant_of(alice, Role::operate, "vm1"));
    EXPECT_FALSE((*nodes.wait_for(node, upgraded->stream->write("after"))).ok());
    nodes.guest_prints(a, "vm1", "a secret");
    const std::string seen = nodes.read_until(node, *upgraded->stream, "no end");
    EXPECT_EQ(seen.find("a secret"), std::string::npos) << seen;
    EXPECT_NE(seen.find("takes the role operator"), std::string::npos) << seen;
    give(alice, Role::operate, "vm1");
  }
  EXPECT_EQ(nodes.typed_at_guest(a, "vm1"), "beforebefore");
}

TEST_F(Access, AnOperationIsShownToWhoSeesItsVmOrBeganIt) {
  give(alice, Role::operate, "vm1");
  ASSERT_EQ(code(0, a, "POST", "/v1/vms/vm2/start"), "ok");
  const std::string of_vm2 = nodes.daemon(a).operations.list().front().id.str();
  wait_for_operations(a);
  ASSERT_EQ(code(alice_uid, b, "POST", "/v1/vms/vm1/start"), "ok");
  const std::string own = nodes.daemon(a).operations.list().front().id.str();
  wait_for_operations(a);
  for (const std::size_t node : {a, b}) {
    EXPECT_EQ(code(alice_uid, node, "GET", "/v1/operations/" + own, Json()), "ok");
    EXPECT_EQ(code(alice_uid, node, "GET", "/v1/operations/" + of_vm2, Json()), denied);
    EXPECT_EQ(code(alice_uid, node, "GET", "/v1/operations/A-4711", Json()), denied) << "as one that is not there";
    EXPECT_EQ(code(alice_uid, node, "POST", "/v1/operations/" + of_vm2 + "/cancel"), denied);
    EXPECT_EQ(code(alice_uid, node, "POST", "/v1/operations/" + own + "/cancel"), "operation-ended");
  }
  take_back(grant_of(alice, Role::operate, "vm1"));
  give(alice, Role::viewer, "vm2");
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/operations/" + own, Json()), "ok") << "began it";
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/operations/" + of_vm2, Json()), "ok");
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/operations/" + own + "/retry"), denied);
}

TEST_F(Access, WhoWaitsForNewsOfAnOperationHearsNoneWithoutTheRole) {
  give(alice, Role::viewer, "vm1");
  nodes.must(a, "POST", "/v1/vms/vm1/start", Json::object());
  ASSERT_EQ(code(0, a, "POST", "/v1/vms/vm1/migrate", {{"node", "B"}, {"wait_for_shutdown", true}}), "ok");
  nodes.pass(5s);
  const auto operation = nodes.daemon(a).operations.list().front();
  ASSERT_FALSE(operation.final()) << "it waits for the guest";
  const std::string target = fmt::format("/v1/operations/{}", operation.id.str());
  ASSERT_EQ(code(alice_uid, a, "GET", target, Json()), "ok");
  api::ApiCall call;
  call.method = "GET";
  const auto news = nodes.begin_as(alice_uid, a, std::move(call), fmt::format("{}?seen={}", target, operation.version));
  take_back(grant_of(alice, Role::viewer, "vm1"));
  ASSERT_FALSE(news->has_value());
  ASSERT_EQ(code(0, a, "POST", target + "/cancel"), "ok");
  nodes.run_events([&] { return news->has_value(); }, 60s);
  ASSERT_TRUE(news->has_value());
  const auto* error = std::get_if<Error>(&**news);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::permission_denied) << error->to_text();
}

TEST_F(Access, ToGoOnTakesWhatItTookToBegin) {
  api::ApiCall call;
  call.caller.uid = alice_uid;
  call.caller.name = "alice";
  give(alice, Role::operate, "vm1");
  Plan plan;
  plan.kind = "vm-delete";
  plan.object = "vm/vm1";
  EXPECT_FALSE(routes::require_like(nodes.daemon(a), call, access::Permission::operation_retry, plan).ok());
  plan.kind = "vm-stop";
  EXPECT_TRUE(routes::require_like(nodes.daemon(a), call, access::Permission::operation_retry, plan).ok());
  plan.kind = "vm-start";
  plan.steps.push_back({"guest.start", NodeName::trusted("A"), {{"gate_overridden", true}}, false, ""});
  EXPECT_FALSE(routes::require_like(nodes.daemon(a), call, access::Permission::operation_retry, plan).ok()) << "on copies that differ";
  plan.steps.clear();
  plan.kind = "vm-lost";
  EXPECT_FALSE(routes::require_like(nodes.daemon(a), call, access::Permission::operation_retry, plan).ok());
}

TEST_F(Access, WhatAGuestGetsOfTheHostIsAnAdministratorsWord) {
  give(alice, Role::owner);
  const Json disk_of_another = {{"boot", {{"kernel", "/dev/drbd101"}, {"initramfs", ""}, {"cmdline", ""}, {"firmware", ""}}}};
  EXPECT_EQ(code(alice_uid, a, "PATCH", "/v1/vms/vm1", disk_of_another), denied);
  const Json words = {{"boot", {{"kernel", "/boot/vmlinuz"}, {"initramfs", "/boot/initrd"}, {"cmdline", "quiet"}, {"firmware", ""}}}};
  EXPECT_EQ(code(alice_uid, a, "PATCH", "/v1/vms/vm1", words), "ok") << "the same files";
  EXPECT_EQ(code(alice_uid, a, "PATCH", "/v1/vms/vm1", {{"cpus", 2}}), "ok");
  Json vm = {{"name", "vm3"}, {"cpus", 1}, {"memory", std::uint64_t{128} << 20}, {"disks", Json::array()}, {"storage_type", "drbd"}, {"hypervisor", "qemu"}};
  vm["boot"] = disk_of_another["boot"];
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms", vm), denied);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/vms/vm1/start", {{"override", {{"reason", "I say so"}}}}), denied) << "its own permission";
}

TEST_F(Access, WhoSeesOneVmSeesWhatItStandsOnAndNothingElse) {
  nodes.must(a, "POST", "/v1/networks", {{"name", "dmz"}, {"bridge", "br0"}});
  nodes.must(a, "POST", "/v1/storage", {{"name", "slow"}, {"vg", "vg0"}});
  nodes.must(a, "POST", "/v1/verify", {{"all", true}});
  nodes.must(a, "POST", "/v1/verify", {{"vms", {"vm1"}}});
  nodes.must(a, "POST", "/v1/vms/vm2/start", Json::object());
  for (const char* vm : {"vm1", "vm2"}) {
    nodes.machine(b).lvm.volumes[fmt::format("vg0/mcvs-{}-0-A-9", vm)].tags = {"mcv", "mcv.snapshot", fmt::format("mcv.volume.{}-0", vm), "mcv.operation.A-9", "mcv.taken.5"};
  }
  // The copies of both were not compared for a long time then: a warning for each.
  nodes.must(a, "PATCH", "/v1/cluster", {{"verify_age_seconds", 3600}});
  nodes.pass(4000s);
  give(alice, Role::viewer, "vm1");
  const std::vector<std::string> lists = {"/v1/info", "/v1/nodes", "/v1/networks", "/v1/storage", "/v1/drbd", "/v1/vms", "/v1/operations", "/v1/snapshots", "/v1/verify/history"};
  std::string all_of_root;
  std::string all_of_alice;
  for (const std::size_t node : {a, b}) {
    for (const std::string& list : lists) {
      const auto roots = nodes.ask(node, "GET", list);
      const auto hers = nodes.ask_as(alice_uid, node, "GET", list);
      ASSERT_TRUE(roots.ok() && hers.ok()) << list << (hers.error ? hers.error->to_text() : "");
      all_of_root += roots.body.dump();
      all_of_alice += hers.body.dump();
      for (const char* hidden : {"vm2", "dmz", "slow", "10.0.0.", "every replicated volume"}) EXPECT_EQ(hers.body.dump().find(hidden), std::string::npos) << list << " on " << node << " shows " << hidden << ": " << hers.body.dump();
      EXPECT_EQ(nodes.ask_as(bob_uid, node, "GET", list).error->code(), ErrorCode::permission_denied) << list;
    }
  }
  for (const char* shown : {"vm1", "lan", "fast", "mcvs-vm1-0-A-9", "the copies of vm1-0 were compared last"}) {
    EXPECT_NE(all_of_root.find(shown), std::string::npos) << shown;
    EXPECT_NE(all_of_alice.find(shown), std::string::npos) << shown;
  }
  for (const char* hidden : {"vm2", "dmz", "slow", "10.0.0.", "every replicated volume", "mcvs-vm2-0-A-9", "the copies of vm2-0 were compared last"}) EXPECT_NE(all_of_root.find(hidden), std::string::npos) << "so that it could have been shown: " << hidden;
  const Json info = nodes.ask_as(alice_uid, a, "GET", "/v1/info").body;
  EXPECT_EQ(info.at("vms"), (Json{{"total", 1}, {"running", 0}}));
  EXPECT_EQ(info.at("verify").at("volumes"), 1);
  EXPECT_EQ(nodes.ask(a, "GET", "/v1/info").body.at("vms"), (Json{{"total", 2}, {"running", 1}}));
  EXPECT_EQ(nodes.ask_as(alice_uid, a, "GET", "/v1/verify/history?name=vm2").error->code(), ErrorCode::not_found) << "as one that is not there";
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/quarantine", Json()), denied);
}

class AccessRoutes : public Access {
 protected:
  TwoNodes::Answer ask(const std::string& method, const std::string& target, const Json& body = Json()) { return nodes.ask(a, method, target, body); }
  std::string refusal(const std::string& method, const std::string& target, const Json& body = Json()) {
    const auto answer = ask(method, target, body);
    if (!answer.error) return "ok";
    EXPECT_FALSE(answer.error->next().empty()) << answer.error->to_text();
    return std::string(to_text(answer.error->code()));
  }
};

TEST_F(AccessRoutes, AUserIsAnAccountOfTheNodeWhereItIsAdded) {
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "carol"}}), "not-found");
  nodes.machine(b).accounts[1002] = "carol";
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "carol"}}), "not-found") << "on the other one only";
  const auto there = nodes.ask(b, "POST", "/v1/users", {{"name", "carol"}});
  ASSERT_TRUE(there.ok()) << there.error->to_text();
  EXPECT_EQ(there.body.at("durability"), "both nodes");
  EXPECT_NE(there.body.at("result").at("note").get<std::string>().find("A has no account carol"), std::string::npos) << there.body.dump();
  const auto bobs = ask("POST", "/v1/users", {{"name", "bob"}});
  ASSERT_TRUE(bobs.ok());
  EXPECT_EQ(bobs.body.at("result").at("note"), "");
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "bob"}}), "already-exists");
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "root"}}), "bad-request");
  nodes.machine(a).accounts[0] = "toor";
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "toor"}}), "bad-request") << "root by another name";
  nodes.machine(a).hanging_tools = {"getent"};
  nodes.machine(a).accounts[1003] = "dave";
  EXPECT_EQ(refusal("POST", "/v1/users", {{"name", "dave"}}), "identity-unknown");
  EXPECT_EQ(users(nodes.daemon(a).shared.current()).size(), 3u);
}

TEST_F(AccessRoutes, TheOtherNodeNeedNotAnswerForAUser) {
  nodes.machine(b).hanging_tools = {"getent"};
  const auto added = ask("POST", "/v1/users", {{"name", "bob"}});
  ASSERT_TRUE(added.ok()) << added.error->to_text();
  EXPECT_NE(added.body.at("result").at("note").get<std::string>().find("could not be asked"), std::string::npos);
}

TEST_F(AccessRoutes, AnAdministratorGivesAndTakesAndNobodyElse) {
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/grants", {{"user", "alice"}, {"role", "administrator"}}), denied);
  EXPECT_EQ(refusal("POST", "/v1/grants", {{"user", "alice"}, {"role", "owner"}}), "ok");
  nodes.pass(1s);
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/grants", {{"user", "alice"}, {"role", "administrator"}}), denied);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/grants", Json()), denied);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/users", Json()), denied);
  EXPECT_EQ(refusal("POST", "/v1/grants?dry_run=true", {{"user", "alice"}, {"role", "administrator"}}), "ok");
  nodes.pass(1s);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/grants", Json()), denied) << "it was only asked what would be done";
  EXPECT_EQ(refusal("POST", "/v1/grants", {{"user", "alice"}, {"role", "administrator"}}), "ok");
  nodes.pass(1s);
  for (const std::size_t node : {a, b}) {
    EXPECT_EQ(code(alice_uid, node, "GET", "/v1/grants", Json()), "ok");
    EXPECT_EQ(code(alice_uid, node, "PATCH", "/v1/cluster", {{"peer_loss", "freeze"}}), "ok");
  }
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/users", {{"name", "bob"}}), "ok");
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/groups", {{"name", "ops"}}), "ok");
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/groups/ops/members", {{"user", "bob"}}), "ok");
  EXPECT_EQ(code(alice_uid, b, "POST", "/v1/grants", {{"group", "ops"}, {"role", "operator"}, {"vm", "vm1"}}), "ok");
  nodes.pass(1s);
  EXPECT_EQ(code(bob_uid, a, "POST", "/v1/vms/vm1/kill"), "ok");
  wait_for_operations(a);
  const auto listed = ask("GET", "/v1/users").body.at("users");
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[1], (Json{{"name", "bob"}, {"groups", {"ops"}}, {"roles", Json::array({{{"role", "operator"}, {"vm", "vm1"}, {"through", "ops"}}})}})) << listed.dump();
  EXPECT_EQ(ask("GET", "/v1/grants").body.at("grants").size(), 3u);
  EXPECT_EQ(ask("GET", "/v1/groups").body.at("groups"), Json::array({{{"name", "ops"}, {"members", {"bob"}}}}));
  EXPECT_EQ(code(alice_uid, b, "DELETE", "/v1/groups/ops/members/bob"), "ok");
  nodes.pass(1s);
  EXPECT_EQ(code(bob_uid, a, "POST", "/v1/vms/vm1/kill"), denied);
  EXPECT_EQ(code(alice_uid, a, "DELETE", "/v1/groups/ops"), "ok");
  EXPECT_EQ(code(alice_uid, a, "POST", "/v1/grants/remove", {{"user", "alice"}, {"role", "administrator"}}), "ok") << "also one's own";
  nodes.pass(1s);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/grants", Json()), denied);
  EXPECT_EQ(refusal("DELETE", "/v1/users/alice"), "ok");
  nodes.pass(1s);
  EXPECT_EQ(code(alice_uid, b, "GET", "/v1/vms/vm1", Json()), denied);
}

TEST_F(AccessRoutes, AVmThatIsDeletedTakesItsRolesAlong) {
  give(alice, Role::owner, "vm2");
  EXPECT_EQ(code(alice_uid, a, "DELETE", "/v1/vms/vm2"), "ok");
  wait_for_operations(a);
  nodes.pass(1s);
  EXPECT_TRUE(grants(nodes.daemon(b).shared.current()).empty());
  nodes.create_vm("vm2");
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/vms/vm2", Json()), denied);
}

TEST_F(AccessRoutes, EverybodyMayAskWhoHeIsAndWhy) {
  const auto whoami = [&](std::uint32_t uid, std::size_t node) { return nodes.ask_as(uid, node, "GET", "/v1/whoami").body; };
  EXPECT_EQ(whoami(0, b), (Json{{"name", "root"}, {"uid", 0}, {"node", "B"}, {"root", true}, {"user", false}, {"roles", Json::array()}}));
  EXPECT_EQ(whoami(bob_uid, a), (Json{{"name", "bob"}, {"uid", bob_uid}, {"node", "A"}, {"root", false}, {"user", false}, {"roles", Json::array()}}));
  give(alice, Role::viewer);
  EXPECT_EQ(whoami(alice_uid, a).at("roles"), Json::array({{{"role", "viewer"}, {"vm", nullptr}, {"through", nullptr}}}));
  EXPECT_EQ(code(4711, a, "GET", "/v1/whoami", Json()), denied) << "has no account";
  const auto own = nodes.ask_as(alice_uid, a, "GET", "/v1/explain?user=alice&action=vm.start&vm=vm1");
  ASSERT_TRUE(own.ok());
  EXPECT_FALSE(own.body.at("allowed").get<bool>());
  EXPECT_NE(own.body.at("next").get<std::string>().find("hvctl grant add --user alice --role operator --vm vm1"), std::string::npos) << own.body.dump();
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/explain?user=bob&action=vm.start", Json()), denied);
  EXPECT_EQ(code(alice_uid, a, "GET", "/v1/explain?user=alice&action=vm.fly", Json()), "not-found");
  const auto others = ask("GET", "/v1/explain?user=bob&action=vm.start");
  ASSERT_TRUE(others.ok());
  EXPECT_NE(others.body.at("reason").get<std::string>().find("bob is no user"), std::string::npos);
  EXPECT_TRUE(ask("GET", "/v1/explain?user=root&action=cluster.update").body.at("allowed").get<bool>());
  EXPECT_EQ(refusal("GET", "/v1/explain?user=bob"), "bad-request");
}

}  // namespace
}  // namespace mcv::test::access_test
