// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/target.h"

#include <gtest/gtest.h>

namespace mcv::api {
namespace {

TEST(TargetTest, TakesPathAndQueryApart) {
  const auto target = parse_target("/v1/vms/vm%201/start?dry_run=true&reason=a%26b&empty=&bare");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->segments, (std::vector<std::string>{"v1", "vms", "vm 1", "start"}));
  EXPECT_EQ(target->query, (std::map<std::string, std::string>{{"dry_run", "true"}, {"reason", "a&b"}, {"empty", ""}, {"bare", ""}}));
}

TEST(TargetTest, RefusesWhatHasFooledServers) {
  for (const char* text : {"", "v1", "/", "//v1", "/v1//vms", "/v1/", "/v1/../etc/passwd", "/v1/%2e%2e/x", "/v1/%2E/x", "/v1/a%2fb", "/v1/%00", "/v1/%0a", "/v1/%7f",
                           "/v1/%zz", "/v1/%4", "/v1/%", "/v1/%ff", "/v1/%c0%af", "/v1/%ed%a0%80", "/v1#x", "/v1/a?x=1&x=2", "/v1/a?%ff=1", "/v1/a?x=%", "http://host/v1", "*"}) {
    const auto target = parse_target(text);
    EXPECT_FALSE(target.ok()) << text;
    if (target.ok()) continue;
    EXPECT_EQ(target.error().code(), ErrorCode::bad_request) << text;
  }
}

TEST(TargetTest, EncodingComesBack) {
  const std::string odd = "a/b?c&d=e %#ü";
  const auto target = parse_target("/v1/x?value=" + percent_encode(odd));
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->query.at("value"), odd);
}

}  // namespace
}  // namespace mcv::api
