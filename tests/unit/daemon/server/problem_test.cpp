// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/problem.h"

#include <gtest/gtest.h>

#include "cluster/core/utf8.h"

namespace mcv::api {
namespace {

TEST(ProblemTest, EveryCodeSurvivesTheWire) {
  for (const ErrorCode code : all_error_codes()) {
    const Error error = Error(code, "what happened").with_safe("the data").with_next("hvctl info");
    const Json problem = to_problem(error);
    EXPECT_EQ(from_problem(problem), error);
    EXPECT_EQ(problem["type"], "urn:mcv:error:" + std::string(to_text(code)));
    EXPECT_GE(problem["status"].get<int>(), 400);
  }
}

TEST(ProblemTest, AlwaysNamesANextCommand) {
  const Json problem = to_problem(Error(ErrorCode::busy, "busy"));
  EXPECT_FALSE(problem.contains("safe"));
  EXPECT_EQ(problem.at("next"), "hvctl op list");
  EXPECT_EQ(to_problem(Error(ErrorCode::busy, "busy").with_next("hvctl op show A-1")).at("next"), "hvctl op show A-1");
}

TEST(ProblemTest, WhoeverAskedIsAlwaysToldWhatIsSafe) {
  EXPECT_EQ(api::to_client_problem(Error(ErrorCode::bad_name, "x")).value("safe", ""), "nothing was changed");
  EXPECT_EQ(api::to_client_problem(Error(ErrorCode::io_error, "x")).value("safe", ""), "guests run on; what was begun, if anything, is in hvctl op list");
  EXPECT_EQ(api::to_client_problem(Error(ErrorCode::busy, "x").with_safe("its own")).value("safe", ""), "its own");
  EXPECT_FALSE(api::to_problem(Error(ErrorCode::bad_name, "x")).contains("safe"));
}

TEST(ProblemTest, AToolsBinaryLastWordsCanBeSent) {
  const Json problem = to_problem(Error(ErrorCode::command_failed, "x\xff\xc3(\xed\xa0\x80y"));
  EXPECT_NO_THROW(problem.dump());
  EXPECT_EQ(valid_utf8("grün € 𝄞"), "grün € 𝄞");
  EXPECT_EQ(valid_utf8("\xc0\xaf"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(ProblemTest, ReadsWhatOtherBuildsSend) {
  const Error unknown = from_problem(Json::parse(R"({"code":"from-the-future","detail":"later"})"));
  EXPECT_EQ(unknown.code(), ErrorCode::internal);
  EXPECT_EQ(unknown.message(), "later (code 'from-the-future', unknown to this build)");
  EXPECT_EQ(from_problem(Json::parse(R"({"code":7,"detail":{}})")).code(), ErrorCode::internal);
  EXPECT_EQ(from_problem(Json::array()).code(), ErrorCode::bad_output);
  EXPECT_EQ(error_from_reply(502, "<html>").code(), ErrorCode::bad_output);
  EXPECT_EQ(error_from_reply(404, to_problem(Error(ErrorCode::not_found, "no vm1")).dump()).message(), "no vm1");
}

}  // namespace
}  // namespace mcv::api
