// SPDX-License-Identifier: Apache-2.0
// Every route of the contract gets what no client of ours sends: wrong types, extremes, endless nesting, names that are paths.
// Each is refused by name, nothing changes, and the daemon answers on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "cluster/core/problem.h"
#include "daemon/api/target.h"
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
    if (target.find("/console") != std::string::npos) call.upgrade = "mcv-console";
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
    last_code.clear();
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
    last_code = to_text(outcome.error->code());
  }

  /// The same, and for what was sent: not for what is there or is not.
  void expect_not_understood(const std::string& method, const std::string& target, const std::string& body) {
    static const std::set<std::string_view> codes = {"bad-request", "bad-name", "bad-size", "unknown-field", "too-large", "bad-connect-string"};
    expect_refused(method, target, body);
    EXPECT_TRUE(codes.contains(last_code)) << method << " " << target << " " << body.substr(0, 120) << ": " << last_code;
  }

  /// A target that exists, for the routes with a parameter.
  static std::string target_of(const ApiContract::Route& route, const std::string& parameter) {
    std::string target = route.path;
    for (auto open = target.find('{'); open != std::string::npos; open = target.find('{')) target.replace(open, target.find('}') - open + 1, parameter);
    return target;
  }

  unsigned refused = 0;
  std::string last_code;
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

/// Something that the schema takes.
Json fitting(const Json& reference, const std::string& key) {
  static const std::map<std::string, Json> known = {{"name", "new"}, {"node", "B"}, {"base", "B"}, {"source", "B"}, {"memory", std::uint64_t{128} << 20}, {"connect_string", "mcv1:AAAA"}, {"cluster_address", "10.0.0.9"},
                                                    {"drbd_address", "10.0.0.9"}, {"address", "10.0.0.9"}, {"verify_calendar", "off"}, {"volume", "vm1-0"}, {"volumes", Json::array({"vm1-0"})}, {"vms", Json::array({"vm1"})}};
  const ApiContract& contract = ApiContract::get();
  const Json& schema = contract.resolved(reference);
  if (const auto found = known.find(key); found != known.end() && contract.errors(schema, found->second).empty()) return found->second;
  if (schema.contains("enum")) return schema["enum"].front();
  if (schema.contains("const")) return schema["const"];
  if (schema.contains("oneOf") && !schema.contains("type")) return fitting(schema["oneOf"].front(), key);
  const Json type = schema.value("type", Json("null"));
  const std::string name = type.is_array() ? type.front().get<std::string>() : type.get<std::string>();
  if (name == "boolean") return false;
  if (name == "integer") return schema.value("minimum", Json(0));
  if (name == "array") return Json::array({fitting(schema["items"], key)});
  if (name == "object") {
    Json made = Json::object();
    for (const Json& needed : schema.value("required", Json::array())) made[needed.get<std::string>()] = fitting(schema["properties"][needed.get<std::string>()], needed.get<std::string>());
    for (const Json& needed : schema.contains("oneOf") ? schema["oneOf"].front().value("required", Json::array()) : Json::array()) made[needed.get<std::string>()] = fitting(schema["properties"][needed.get<std::string>()], needed.get<std::string>());
    return made;
  }
  return "vm1";
}

/// What no schema of that place takes, at every depth: `build` makes a whole body of a value.
void misfits(const Json& reference, const std::string& key, const std::function<void(const Json& value)>& each) {
  const ApiContract& contract = ApiContract::get();
  const Json& schema = contract.resolved(reference);
  std::vector<Json> values;
  for (const std::string& text : odd_values) {
    if (Json value = Json::parse(text, nullptr, false); !value.is_discarded()) values.push_back(std::move(value));
  }
  const Json good = fitting(schema, key);
  if (schema.contains("maximum")) values.push_back(schema["maximum"].get<std::uint64_t>() + 1);
  if (schema.contains("minimum")) values.push_back(schema["minimum"].get<std::int64_t>() - 1);
  if (schema.contains("maxLength")) values.push_back(std::string(schema["maxLength"].get<std::size_t>() + 1, 'x'));
  if (good.is_string()) values.push_back(std::string(70'000, 'x'));
  if (schema.contains("maxItems")) values.push_back(Json(schema["maxItems"].get<std::size_t>() + 1, good.front()));
  if (schema.contains("items")) misfits(schema["items"], key, [&](const Json& value) { each(Json::array({value})); });
  if (good.is_object()) {
    Json more = good;
    more["no-such-key"] = 1;
    values.push_back(std::move(more));
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, inner] : properties.items()) {
      misfits(inner, name, [&, name = name](const Json& value) {
        Json body = good;
        body[name] = value;
        each(body);
      });
    }
    for (const auto& [name, value] : good.items()) {
      Json less = good;
      less.erase(name);
      values.push_back(std::move(less));
    }
  }
  for (const Json& one : schema.value("oneOf", Json::array())) {
    if (!schema.contains("type")) misfits(one, key, each);
  }
  for (const Json& value : values) {
    if (!contract.errors(schema, value).empty()) each(value);
  }
}

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

/// One thing is wrong in a body that is taken otherwise, at every depth: too long a list, a number too large, a text in its place.
TEST_F(HostileApiTest, OneThingThatDoesNotFit) {
  const ApiContract& contract = ApiContract::get();
  for (const ApiContract::Route& route : contract.routes()) {
    const Json* reference = contract.body_schema(route);
    if (reference == nullptr) continue;
    misfits(*reference, "", [&](const Json& body) {
      if (!contract.errors(*reference, body).empty()) expect_not_understood(route.method, target_of(route, "vm1"), body.dump(-1, ' ', false, Json::error_handler_t::replace));
    });
  }
  EXPECT_GT(refused, 1000u);
}

/// What stands behind the question mark is described as well.
TEST_F(HostileApiTest, QueriesThatDoNotFit) {
  const ApiContract& contract = ApiContract::get();
  for (const ApiContract::Route& route : contract.routes()) {
    for (const Json& reference : route.operation->value("parameters", Json::array())) {
      const Json& parameter = contract.resolved(reference);
      if (parameter["in"] != "query") continue;
      const Json& schema = contract.resolved(parameter["schema"]);
      const std::string key = parameter["name"].get<std::string>();
      std::vector<std::string> values = {std::string(5'000, 'x')};
      if (schema.contains("maxLength")) values.push_back(std::string(schema["maxLength"].get<std::size_t>() + 1, 'x'));
      if (schema.contains("pattern")) values.insert(values.end(), {"", "-rf", "../..", "a b", "\u00e4"});
      if (schema.contains("enum") || schema["type"] == "boolean") values.insert(values.end(), {"", "1", "True"});
      if (schema["type"] == "integer") values.insert(values.end(), {"", "x", "-1", "1.5", "1x", " 1", "+1", "0x10", "18446744073709551616"});
      if (schema.contains("maximum")) values.push_back(std::to_string(schema["maximum"].get<std::uint64_t>() + 1));
      const std::string target = target_of(route, route.path.find("/operations/") == std::string::npos ? "vm1" : nodes.daemon(a).operations.list().front().id.str());
      for (const std::string& value : values) {
        const std::string asked = fmt::format("{}?{}={}", target, key, api::percent_encode(value));
        // What is to be deleted is looked for first.
        if (route.method == "DELETE") expect_refused(route.method, asked, "");
        else expect_not_understood(route.method, asked, "");
      }
    }
  }
  EXPECT_GT(refused, 100u);
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
