// SPDX-License-Identifier: Apache-2.0
// Every route of the contract gets what no client of ours sends: wrong types, extremes, endless nesting, names that are paths.
// Each is refused by name, nothing changes, and the daemon answers on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "cluster/core/problem.h"
#include "two_nodes.h"
#include "world/api_contract.h"

namespace mcv::hostile_api_test {
namespace {

using sim::ApiContract;

class HostileApiTest : public ::testing::Test {
 protected:
  static constexpr std::size_t a = test::TwoNodes::a;
  test::TwoNodes nodes;

  void SetUp() override {
    nodes.make_cluster();
    nodes.create_vm("vm1");
  }

  struct Outcome {
    std::optional<Error> error;
    int status = 0;
  };
  Outcome send(const std::string& method, const std::string& target, const std::string& body) {
    api::ApiCall call;
    call.method = method;
    call.body = body;
    const api::ApiReply reply = nodes.route(a, std::move(call), target);
    if (const auto* error = std::get_if<Error>(&reply)) return {*error, http_status_of(error->code())};
    const auto json = api::document_of(reply);
    return {std::nullopt, json ? json->status : 200};
  }

  std::string state() {
    return nodes.daemon(a).shared.position().hash + fmt::format(" {} operations", nodes.daemon(a).operations.list().size());
  }

  /// Refused as the sender's fault, and nothing is another than before.
  void expect_refused(const std::string& method, const std::string& target, const std::string& body) {
    const std::string before = state();
    const Outcome outcome = send(method, target, body);
    const std::string what = fmt::format("{} {} {}", method, target, body.substr(0, 120));
    ASSERT_TRUE(nodes.up(a)) << what;
    ASSERT_TRUE(outcome.error) << what << ": taken, status " << outcome.status;
    EXPECT_GE(outcome.status, 400) << what;
    EXPECT_LT(outcome.status, 500) << what << ": " << outcome.error->message();
    EXPECT_LT(to_client_problem(*outcome.error).dump().size(), 12'000u) << what;
    EXPECT_EQ(state(), before) << what;
    for (const std::string& text : ApiContract::get().check(method, target, Json(), *outcome.error)) ADD_FAILURE() << what << ": " << text;
    ++refused;
  }

  /// A target that exists, for the routes with a parameter.
  static std::string target_of(const ApiContract::Route& route, const std::string& parameter) {
    const auto open = route.path.find('{');
    if (open == std::string::npos) return route.path;
    return route.path.substr(0, open) + parameter + route.path.substr(route.path.find('}') + 1);
  }

  unsigned refused = 0;
};

std::string nested(std::size_t depth, const std::string& open, const std::string& close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  text += "1";
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

/// Of no type that a property has, or beyond what it may be.
const std::vector<std::string> odd_values = {
    "null", "{}", "[]", "[[]]", "{\"a\":{\"b\":[]}}", "-1", "1.5", "1e308", "-9223372036854775808", "18446744073709551615", "1e999", "true", "false",
    "\"\"", "\"\\u0000\"", "\"a\\nb\"", "\"../../etc/passwd\"", "\"-rf\"", "\"$(reboot)\"", "\"%s%n\"", "\"\\ud800\"", "\"\xff\xfe\"", "[null]", "[\"\", 1]",
};

TEST_F(HostileApiTest, BodiesThatAreNoObject) {
  const std::vector<std::string> bodies = {
      "null", "1", "\"text\"", "[]", "[{}]", "{", "}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}{}", "\xff\xfe", "{\"\xc3\x28\":1}", std::string("{\"a\"\0:1}", 8),
      nested(100, "[", "]"), nested(50'000, "[", "]"), nested(50'000, "{\"a\":", "}"), std::string(50'000, '['), "{\"no-such-key\":1}", "{\"\":1}",
      "{\"name\":\"x\",\"name\":\"y\",\"no-such-key\":1}", fmt::format("{{\"{}\":1}}", std::string(60'000, 'k')),
  };
  for (const ApiContract::Route& route : ApiContract::get().routes()) {
    if (ApiContract::get().body_schema(route) == nullptr) continue;
    for (const std::string& body : bodies) expect_refused(route.method, target_of(route, "vm1"), body);
  }
  EXPECT_GT(refused, 500u);
}

/// One property at a time is wrong; what the schema would take there is left out.
TEST_F(HostileApiTest, PropertiesOfAnotherKind) {
  const ApiContract& contract = ApiContract::get();
  for (const ApiContract::Route& route : contract.routes()) {
    const Json* reference = contract.body_schema(route);
    if (reference == nullptr) continue;
    const Json properties = contract.resolved(*reference).value("properties", Json::object());
    for (const auto& [key, schema] : properties.items()) {
      std::vector<std::string> values = odd_values;
      values.push_back("\"" + std::string(70'000, 'x') + "\"");
      values.push_back(nested(60, "[", "]"));
      for (const std::string& value : values) {
        const Json parsed = Json::parse(value, nullptr, false);
        if (!parsed.is_discarded() && contract.errors(schema, parsed).empty()) continue;
        expect_refused(route.method, target_of(route, "vm1"), fmt::format("{{\"{}\":{}}}", key, value));
      }
    }
  }
  EXPECT_GT(refused, 1000u);
}

/// Also where nobody reads a body: such a request may be sent on to the other node, in JSON, which has no place for it.
TEST_F(HostileApiTest, BodiesThatAreNoText) {
  for (const ApiContract::Route& route : ApiContract::get().routes()) {
    for (const char* body : {"\xff", "{\"\xc3\x28\":1}"}) expect_refused(route.method, target_of(route, "vm1"), body);
  }
  EXPECT_GT(refused, 100u);
}

TEST_F(HostileApiTest, NamesThatAreNone) {
  const std::vector<std::string> names = {"%00", "%2e%2e", "%2E%2E%2F%2E%2E", "a%2Fb", "%ff", "-x", "%20", "vm1%0a", std::string(300, 'v'), "%zz", "vm1%00", "VM%201", "%24%28reboot%29"};
  for (const ApiContract::Route& route : ApiContract::get().routes()) {
    if (route.path.find('{') == std::string::npos) continue;
    for (const std::string& name : names) expect_refused(route.method, target_of(route, name), "");
  }
  EXPECT_GT(refused, 100u);
}

TEST_F(HostileApiTest, MethodsAndQueriesThatAreNone) {
  for (const ApiContract::Route& route : ApiContract::get().routes()) {
    for (const char* method : {"TRACE", "get", "", "DELETE\r\nX: y"}) expect_refused(method, target_of(route, "vm1"), "");
    if (route.method == "GET") continue;
    for (const char* query : {"?dry_run=maybe", "?dryrun=true", "?dry_run", "?dry_run=true&dry_run=true", "?=", "?%ff=1"}) expect_refused(route.method, target_of(route, "vm1") + query, "{}");
  }
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace mcv::hostile_api_test
