// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/json_list.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace mcv::json_list_test {
namespace {

struct Read {
  std::vector<Json> items;
  Result<Json> rest = Json();
};

Read read(std::string_view text) {
  Read found;
  found.rest = parse_json_list(text, "vms", [&found](const Json& item) { found.items.push_back(item); });
  return found;
}

/// As parse_json reads the same text.
void expect_as_whole(std::string_view text) {
  const Read found = read(text);
  const Result<Json> whole = parse_json(text);
  ASSERT_EQ(found.rest.ok(), whole.ok()) << text;
  if (!whole.ok()) return;
  Json joined = *found.rest;
  if (joined.is_object() && joined.contains("vms") && joined["vms"].is_array()) joined["vms"] = found.items;
  EXPECT_EQ(joined, *whole) << text;
}

TEST(JsonList, ItemsAndTheRestAreWhatTheWholeDocumentSays) {
  expect_as_whole(R"({"view":"brief","vms":[{"name":"a","volumes":[{"size":1},{"size":-2}],"nics":[]},{"name":"b","x":null}],"more":{"vms":[1,[2]]}})");
  expect_as_whole(R"({"vms":[1,"two",[3,[4]],{},[],true,null,1.5],"count":8})");
  expect_as_whole(R"({"vms":[]})");
}

TEST(JsonList, OnlyAListOfTheOutermostObjectIsTheList) {
  EXPECT_TRUE(read(R"({"inner":{"vms":[1,2]}})").items.empty());
  for (const char* text : {R"({"inner":{"vms":[1,2]}})", R"([{"vms":[1]}])", R"({"vms":{"vms":[1]}})", R"({"vms":"text"})", "[1,2]", "7", R"({"vms":null,"other":[1]})"}) expect_as_whole(text);
}

TEST(JsonList, WhatIsNoJsonIsRefusedLikeAWholeDocument) {
  for (const char* text : {"", "{", R"({"vms":[1,)", R"({"vms":[1]}})", R"({"vms":[1]} x)", R"({"vms" [1]})", "{\"vms\":[\"\xff\"]}", R"({"vms":[1],})"}) expect_as_whole(text);
}

TEST(JsonList, NestingIsLimitedAsInAWholeDocument) {
  const auto nested = [](std::size_t depth) { return "{\"vms\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}"; };
  expect_as_whole(nested(json_depth_limit));
  EXPECT_TRUE(read(nested(json_depth_limit)).rest.ok());
  const Read deeper = read(nested(json_depth_limit + 1));
  ASSERT_FALSE(deeper.rest.ok());
  EXPECT_EQ(deeper.rest.error().message(), json_too_deep().message());
  expect_as_whole(nested(100'000));
}

TEST(JsonListText, IsReadAsItWasWritten) {
  for (const std::size_t count : {0U, 1U, 3U}) {
    JsonListText list("vms", {{"view", "brief"}});
    std::vector<Json> items;
    for (std::size_t i = 0; i < count; ++i) {
      items.push_back({{"name", "vm\"" + std::to_string(i)}});
      list.add(items.back());
    }
    const std::string text = std::move(list).finish();
    EXPECT_EQ(read(text).items, items);
    EXPECT_EQ(parse_json(text)->at("view"), "brief");
  }
  EXPECT_TRUE(parse_json(JsonListText("vms").finish()).ok());
}

}  // namespace
}  // namespace mcv::json_list_test
