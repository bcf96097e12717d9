// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/problem.h"

#include <gtest/gtest.h>

#include "cluster/core/utf8.h"

namespace mcv::problem_test {
namespace {

TEST(Problem, EveryCodeSurvivesTheWire) {
  for (const ErrorCode code : all_error_codes()) {
    const Error error = Error(code, "what happened").with_safe("the data").with_next("hvctl info");
    const Json problem = to_problem(error);
    EXPECT_EQ(error_from_problem(problem), error);
    EXPECT_EQ(problem["type"], "urn:mcv:error:" + std::string(to_text(code)));
    EXPECT_GE(problem["status"].get<int>(), 400);
  }
  EXPECT_EQ(to_problem(Error(ErrorCode::too_large, "x")).at("status"), 413);
}

TEST(Problem, BetweenTheNodesNothingIsAdded) {
  const Json problem = to_problem(Error(ErrorCode::busy, "busy"));
  EXPECT_FALSE(problem.contains("safe"));
  EXPECT_FALSE(problem.contains("next"));
}

TEST(Problem, WhoeverAskedIsAlwaysToldWhatIsSafeAndWhatToType) {
  EXPECT_EQ(to_client_problem(Error(ErrorCode::busy, "busy")).at("next"), "hvctl op list");
  EXPECT_EQ(to_client_problem(Error(ErrorCode::busy, "busy").with_next("hvctl op show A-1")).at("next"), "hvctl op show A-1");
  EXPECT_EQ(to_client_problem(Error(ErrorCode::bad_name, "x")).at("safe"), "nothing was changed");
  EXPECT_EQ(to_client_problem(Error(ErrorCode::io_error, "x")).at("safe"), "guests run on; what was begun, if anything, is in hvctl op list");
  EXPECT_EQ(to_client_problem(Error(ErrorCode::busy, "x").with_safe("its own")).at("safe"), "its own");
  EXPECT_EQ(to_client_problem(Error(ErrorCode::busy, std::string(9000, 'x'))).at("detail").get<std::string>().size(), longest_detail);
}

TEST(Problem, AToolsBinaryLastWordsCanBeSent) {
  const Json problem = to_problem(Error(ErrorCode::command_failed, "lvcreate: exit 5: \xff\xc3(").with_safe("a\x80").with_next("b\xe2\x82"));
  EXPECT_EQ(problem.at("detail"), "lvcreate: exit 5: \uFFFD\uFFFD(");
  EXPECT_NO_THROW(static_cast<void>(problem.dump()));
  EXPECT_EQ(valid_utf8("grün € 𝄞"), "grün € 𝄞");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Problem, ReadsWhatOtherBuildsSend) {
  const Error unknown = error_from_problem(Json::parse(R"({"code":"from-the-future","detail":"later"})"));
  EXPECT_EQ(unknown.code(), ErrorCode::internal);
  EXPECT_EQ(unknown.message(), "later (code 'from-the-future', unknown to this build)");
  EXPECT_EQ(error_from_problem(Json::parse(R"({"code":"busy","title":"conflict"})")).message(), "conflict");
  EXPECT_EQ(error_from_problem(Json::parse(R"({"code":7,"detail":{}})")).code(), ErrorCode::internal);
  EXPECT_EQ(error_from_problem(Json::array()).code(), ErrorCode::internal);
}

}  // namespace
}  // namespace mcv::problem_test
