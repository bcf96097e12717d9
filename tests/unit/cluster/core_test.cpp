// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "cluster/core/json.h"
#include "cluster/core/json_value.h"
#include "cluster/core/names.h"
#include "cluster/core/sha256.h"
#include "cluster/core/task_group.h"
#include "cluster/core/units.h"
#include "cluster/core/wall_time.h"
#include "cluster/host/processes.h"

namespace mcv {
namespace {

TEST(Errors, EveryCodeReadsBackFromItsText) {
  for (const ErrorCode code : all_error_codes()) EXPECT_EQ(error_code_from_text(to_text(code)), code) << to_text(code);
}

TEST(Errors, SayWhatHappenedWhatIsSafeAndWhatIsNext) {
  const Error error = Error(ErrorCode::busy, "vm1 is being migrated").with_safe("vm1 runs on A").with_next("hvctl op watch A-7").with_context("stop");
  EXPECT_EQ(error.to_text(), "stop: vm1 is being migrated\nSafe: vm1 runs on A\nNext: hvctl op watch A-7");
}

TEST(Names, RefuseWhatWouldBreakAUnitOrAPath) {
  for (const char* bad : {"", ".", "..", "a..b", "-a", "a/b", "a b", "a\nb", "ä", "a;b"}) EXPECT_FALSE(VmName::parse(bad).ok()) << bad;
  EXPECT_FALSE(VmName::parse(std::string(41, 'a')).ok());
  for (const char* good : {"vm1", "web-1.prod", "A_b"}) EXPECT_TRUE(VmName::parse(good).ok()) << good;
  EXPECT_TRUE(VmName::parse(std::string(40, 'a')).ok());
}

TEST(Sizes, ReadBinaryUnits) {
  EXPECT_EQ(Bytes::parse("256M")->count(), 256u << 20);
  EXPECT_EQ(Bytes::parse("10GiB")->count(), std::uint64_t{10} << 30);
  EXPECT_EQ(Bytes::parse("512")->count(), 512u);
  for (const char* bad : {"", "0", "M", "-1M", "1.5G", "1X", "1MB2", "99999999T", "18446744073709551615K"}) EXPECT_FALSE(Bytes::parse(bad).ok()) << bad;
  EXPECT_EQ(Bytes::mib(256).to_text(), "256 MiB");
  EXPECT_EQ(Bytes::mib(1536).to_text(), "1.5 GiB");
}

TEST(StrictJson, NamesTheFieldThatIsWrong) {
  const Json json = {{"cpus", "two"}, {"extra", 1}};
  Fields fields(json, "vm");
  fields.required<std::uint32_t>("cpus");
  EXPECT_EQ(fields.finish().error().message(), "vm.cpus is not a whole number of zero or more");

  const Json typo = {{"cpus", 2}, {"cpu", 1}};
  Fields strict(typo, "vm");
  strict.required<std::uint32_t>("cpus");
  EXPECT_EQ(strict.finish().error().code(), ErrorCode::unknown_field);
}

TEST(LenientJson, TakesWhatFitsAndNothingElse) {
  const Json json = {{"text", "a"}, {"flag", true}, {"count", 300}, {"below", -1}, {"huge", 18446744073709551615u}, {"null", nullptr}, {"list", {1}}};
  EXPECT_EQ(value_in(json, "text", ""), "a");
  EXPECT_TRUE(value_in(json, "flag", false));
  EXPECT_EQ(value_in(json, "count", 0), 300);
  EXPECT_EQ(value_in(json, "huge", std::uint64_t{0}), 18446744073709551615u);
  EXPECT_EQ(value_in(json, "below", std::int64_t{0}), -1);
  EXPECT_EQ(value_in(json, "list", Json()), Json::array({1}));
  for (const char* key : {"flag", "count", "null", "list", "absent"}) EXPECT_EQ(value_in(json, key, "other"), "other") << key;
  for (const char* key : {"text", "null", "list", "absent", "huge"}) EXPECT_EQ(value_in(json, key, 7), 7) << key;
  EXPECT_EQ(value_in(json, "below", std::uint64_t{7}), 7u);
  EXPECT_TRUE(value_in(json, "text", true));
  for (const Json& other : {Json(), Json(1), Json("x"), Json::array({json})}) EXPECT_EQ(value_in(other, "text", "none"), "none") << other;
}

TEST(WallTimes, AreOfACalendarOrSaidToBeNone) {
  EXPECT_EQ(utc_text(0), "1970-01-01 00:00:00");
  EXPECT_EQ(utc_text(253'402'300'799), "9999-12-31 23:59:59");
  for (const std::int64_t none : {std::int64_t{-1}, std::int64_t{253'402'300'800}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(utc_text(none), "an impossible time") << none;
    EXPECT_EQ(local_time_text(none), "an impossible time") << none;
  }
}

TEST(StrictJson, RefusesDepthAndGarbage) {
  EXPECT_FALSE(parse_json(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_json("{\"a\":").ok());
  EXPECT_FALSE(parse_json("\xff\xfe").ok());
  EXPECT_TRUE(parse_json("{\"a\":[1,2]}").ok());
}

TEST(StrictJson, CountsOnlyBracketsThatAreBrackets) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(64)).ok());
  ASSERT_FALSE(parse_json(nested(65)).ok());
  EXPECT_NE(parse_json(nested(65)).error().message().find("nested"), std::string::npos);
  const std::string text = std::string(100, '[') + "\\\"" + std::string(100, '{');
  EXPECT_TRUE(parse_json("{\"" + text + "\":\"" + text + "\"}").ok()) << "those in a text, also after an escaped quote";
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "{\"a\":[]},";
  EXPECT_TRUE(parse_json(wide + "0]").ok()) << "side by side is not deep";
  EXPECT_FALSE(parse_json("\"" + std::string(100, '[')).ok()) << "a text without an end";
}

TEST(Sha256, MatchesTheKnownVector) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Commands, AreShownAsALineOneCanPaste) {
  EXPECT_EQ(host::to_shell_line({"lvcreate", "-n", "a b", "it's", ""}), "lvcreate -n 'a b' 'it'\\''s' ''");
}

boost::asio::awaitable<void> count(int& counter) {
  ++counter;
  co_return;
}

boost::asio::awaitable<void> join_then_count(TaskGroup& group, int& counter) {
  co_await group.join();
  counter += 10;
}

TEST(TaskGroup, JoinWaitsForAll) {
  boost::asio::io_context loop;
  TaskGroup group(loop.get_executor());
  TaskGroup outer(loop.get_executor());
  int counter = 0;
  group.spawn(count(counter));
  group.spawn(count(counter));
  outer.spawn(join_then_count(group, counter));
  loop.run();
  EXPECT_EQ(counter, 12);
  EXPECT_EQ(group.running(), 0u);
}

}  // namespace
}  // namespace mcv
