// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/router.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace mcv::api {
namespace {

namespace asio = boost::asio;
using access::Permission;

asio::awaitable<ApiReply> name_of_route(std::string name, ApiCall call) {
  Json body{{"route", name}, {"params", call.params}};
  co_return reply(std::move(body));
}
ApiHandler named(const std::string& name) {
  return [name](ApiCall call) { return name_of_route(name, std::move(call)); };
}

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    router_.add("GET", "/v1/vms", Permission::vm_list, Reach::some, named("list"));
    router_.add("GET", "/v1/vms/{name}", Permission::vm_show, Reach::vm, named("read"));
    router_.add("GET", "/v1/vms/all", Permission::vm_show, Reach::cluster, named("all"));
    router_.add("POST", "/v1/vms/{name}/start", Permission::vm_start, Reach::vm, named("start"));
  }
  /// Root alone, and what was asked for is kept.
  Status judge(const ApiCall& call, const Need& need) {
    asked_.push_back(need);
    if (call.caller.uid == 0) return success();
    return Error(ErrorCode::permission_denied, "not you");
  }
  ApiReply ask(const std::string& method, const std::string& target, uid_t uid = 0) {
    ApiCall call;
    call.method = method;
    call.caller.uid = uid;
    asked_.clear();
    asio::io_context loop;
    std::optional<ApiReply> answer;
    auto on_end = [&](std::exception_ptr error, ApiReply got) {
      if (error) std::rethrow_exception(error);
      answer.emplace(std::move(got));
    };
    asio::co_spawn(loop, router_.answer(std::move(call), target), on_end);
    loop.run();
    return std::move(*answer);
  }
  std::string route(const std::string& method, const std::string& target) {
    const ApiReply answer = ask(method, target);
    if (const Error* error = std::get_if<Error>(&answer)) return std::string(to_text(error->code()));
    const Json& body = std::get<JsonReply>(answer).body;
    return body["route"].get<std::string>() + body["params"].dump();
  }

  std::vector<Need> asked_;
  Router router_{[this](const ApiCall& call, const Need& need) { return judge(call, need); }};
};

TEST_F(RouterTest, FindsRoutesAndTheirParameters) {
  EXPECT_EQ(route("GET", "/v1/vms"), "list{}");
  EXPECT_EQ(route("GET", "/v1/vms/vm1"), R"(read{"name":"vm1"})");
  EXPECT_EQ(route("GET", "/v1/vms/all"), "all{}");
  EXPECT_EQ(route("POST", "/v1/vms/vm%201/start?dry_run=true"), R"(start{"name":"vm 1"})");
}

TEST_F(RouterTest, WhatIsNotThereIsUnknown) {
  for (const char* target : {"/v1/vms/vm1/stop", "/v1", "/v2/vms", "/v1/vms/a/b/c", "/V1/vms"}) EXPECT_EQ(route("GET", target), "unknown-route") << target;
  EXPECT_EQ(route("DELETE", "/v1/vms"), "unknown-route");
  EXPECT_EQ(route("get", "/v1/vms"), "unknown-route");
  EXPECT_EQ(route("GET", "/v1/vms/../vms"), "bad-request");
}

TEST_F(RouterTest, WhoMayNotIsRefusedBeforeAnythingRuns) {
  const ApiReply answer = ask("GET", "/v1/vms", 1000);
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_EQ(std::get<Error>(answer).code(), ErrorCode::permission_denied);
  const ApiReply nobody = ask("GET", "/v1/vms", static_cast<uid_t>(-1));
  EXPECT_TRUE(std::holds_alternative<Error>(nobody));
}

TEST_F(RouterTest, ARouteSaysOnWhatItsPermissionHasToBeHeld) {
  const struct {
    const char* method;
    const char* target;
    Permission permission;
    access::Scope scope;
  } cases[] = {{"GET", "/v1/vms", Permission::vm_list, access::Scope::somewhere()},
               {"GET", "/v1/vms/vm1", Permission::vm_show, access::Scope::vm(VmName::trusted("vm1"))},
               {"GET", "/v1/vms/all", Permission::vm_show, access::Scope::cluster()},
               {"POST", "/v1/vms/vm1/start", Permission::vm_start, access::Scope::vm(VmName::trusted("vm1"))},
               {"POST", "/v1/vms/vm%201/start", Permission::vm_start, access::Scope::cluster()}};
  for (const auto& one : cases) {
    ask(one.method, one.target);
    ASSERT_EQ(asked_.size(), 1u) << one.target;
    EXPECT_EQ(asked_.front().permission, one.permission) << one.target;
    EXPECT_EQ(asked_.front().scope, one.scope) << one.target;
  }
  EXPECT_EQ(route("GET", "/v1/nothing"), "unknown-route");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(RouterTest, ARouteIsWellFormedAndThereOnce) {
  EXPECT_THROW(router_.add("GET", "/v1/x", Permission::vm_list, Reach::vm, named("x")), std::logic_error) << "of no VM";
  EXPECT_THROW(router_.add("GET", "/v1/x", Permission::vm_list, Reach::some, nullptr), std::logic_error);
  EXPECT_THROW(router_.add("GET", "/v1/vms/{id}", Permission::vm_list, Reach::some, named("x")), std::logic_error);
  EXPECT_THROW(router_.add("GET", "/v1/../x", Permission::vm_list, Reach::some, named("x")), std::logic_error);
  EXPECT_NO_THROW(router_.add("PUT", "/v1/vms/{id}", Permission::vm_list, Reach::some, named("x")));
}

TEST(ApiCallTest, ReadsFlagsStrictly) {
  ApiCall call;
  call.query = {{"dry_run", "true"}, {"all", "yes"}, {"other", "false"}};
  EXPECT_TRUE(*call.flag("dry_run"));
  EXPECT_FALSE(*call.flag("other"));
  EXPECT_FALSE(*call.flag("absent"));
  EXPECT_FALSE(call.flag("all").ok());
  EXPECT_FALSE(call.only_query({"dry_run", "all"}).ok());
  EXPECT_TRUE(call.only_query({"dry_run", "all", "other"}).ok());
  call.body = "[1]";
  EXPECT_FALSE(call.json().ok());
  call.body = "{\"a\":";
  EXPECT_FALSE(call.json().ok());
  call.body = "{\"a\":\"\xff\"}";
  EXPECT_FALSE(call.json().ok());
  call.body = "";
  EXPECT_TRUE(call.json()->empty());
}

}  // namespace
}  // namespace mcv::api
