// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "cli/render/problem.h"
#include "cli/render/progress.h"
#include "cli/render/table.h"
#include "cli/render/text.h"

namespace mcv::cli::render_test {
namespace {

TEST(Text, LosesItsControlCharacters) {
  EXPECT_EQ(printable("a\x1b[2Jb\x07"), "a?[2Jb?");
  EXPECT_EQ(printable("line\nnext\ttab"), "line next tab");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(printable("\xc2\x9b" "31m"), "?31m");
  EXPECT_EQ(printable("\xff\xc3("), "?" "?(");
  EXPECT_EQ(printable(std::string_view("\xe2\x82", 2)), "??");
}

TEST(Text, WrapsAtSpacesAndBreaksOnlyWhatDoesNotFit) {
  EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrapped("abcdefgh", 3), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_EQ(wrapped("", 5), (std::vector<std::string>{""}));
  EXPECT_EQ(wrapped("\xc3\xbc\xc3\xbc\xc3\xbc", 2), (std::vector<std::string>{"\xc3\xbc\xc3\xbc", "\xc3\xbc"}));
}

TEST(Text, WideCharactersTakeTwoColumnsAndAccentsNone) {
  EXPECT_EQ(width_of("abc"), 3u);
  EXPECT_EQ(width_of("gr\xc3\xbc\xc3\x9f"), 4u);
  EXPECT_EQ(width_of("\xe6\xbc\xa2\xe5\xad\x97"), 4u) << "two Han characters";
  EXPECT_EQ(width_of("\xf0\x9f\x9a\x80"), 2u) << "an emoji";
  EXPECT_EQ(width_of("e\xcc\x81"), 1u) << "an accent over the letter before it";
  EXPECT_EQ(width_of("\xef\xbc\xa1"), 2u) << "a full-width letter";
  EXPECT_EQ(width_of("\xff\xc3"), 2u) << "as many as printable() makes of them";
}

TEST(Text, AWideCharacterIsNeverCutInTwo) {
  const std::string han = "\xe6\xbc\xa2";
  EXPECT_EQ(wrapped(han + han + han, 4), (std::vector<std::string>{han + han, han}));
  EXPECT_EQ(wrapped(han + han + han, 3), (std::vector<std::string>{han, han, han}));
  EXPECT_EQ(wrapped(han, 1), (std::vector<std::string>{han})) << "there is no narrower way";
  EXPECT_EQ(wrapped("ae\xcc\x81o", 2), (std::vector<std::string>{"ae\xcc\x81", "o"})) << "an accent stays with its letter";
}

TEST(Table, AlignsWideCharacters) {
  Table table({"NAME", "STATE"});
  table.add({"\xe6\xbc\xa2\xe5\xad\x97", "running"});
  table.add({"database", "stopped"});
  EXPECT_EQ(table.to_text(0, false), "NAME      STATE\n\xe6\xbc\xa2\xe5\xad\x97      running\ndatabase  stopped\n");
}

TEST(Text, AnAgeInTheFutureIsUnknown) {
  EXPECT_EQ(age_text(1000, 900), "unknown");
  EXPECT_EQ(age_text(INT64_MIN, INT64_MAX), "unknown");
  EXPECT_EQ(age_text(1000, 1030), "30 s");
  EXPECT_EQ(age_text(1000, 1000 + 3 * 86400), "3 d");
}

TEST(Table, AlignsAndNeverEndsALineInSpaces) {
  Table table({"NAME", "STATE"});
  table.add({"vm1", "running"});
  table.add({"database", ""});
  EXPECT_EQ(table.to_text(0, false), "NAME      STATE\nvm1       running\ndatabase\n");
}

TEST(Table, WrapsTheWidestColumn) {
  Table table({"ID", "TEXT"});
  table.add({"1", "some words that are too long"});
  std::istringstream lines(table.to_text(20, false));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 20u) << line;
}

TEST(Table, BecomesBlocksRatherThanBreakWords) {
  Table table({"VOLUME", "ROLE", "DISKS", "NOTE"});
  table.add({"web-frontend-1-0", "primary/secondary", "up_to_date/outdated", ""});
  EXPECT_EQ(table.to_text(40, false), "web-frontend-1-0\n    role primary/secondary\n    disks up_to_date/outdated\n");
}

TEST(Table, BreaksWhatAToolSaidRatherThanBecomeBlocks) {
  Table table({"OPERATION", "PROGRESS"});
  table.add({"A-1", "systemctl show --property=" + std::string(200, 'x')});
  const std::string text = table.to_text(120, false);
  EXPECT_TRUE(text.starts_with("OPERATION  PROGRESS\n")) << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(Table, WrapsLongValuesOfBlocksBelowTheirTitle) {
  Table table({"VM", "STATE", "NOTE"});
  table.add({"a-name-of-forty-letters-is-never-broken-x", "running", "some words that go on"});
  EXPECT_EQ(table.to_text(24, false), "a-name-of-forty-letters-is-never-broken-x\n    state running\n    note some words that\n         go on\n");
}

Json view(const char* state, double percent, std::initializer_list<const char*> step_states) {
  Json steps = Json::array();
  for (const char* step_state : step_states) steps.push_back({{"action", "act"}, {"node", "A"}, {"state", step_state}, {"text", "do it"}});
  return {{"id", "A-1"}, {"state", state}, {"steps", steps}, {"progress", {{"percent", percent}, {"text", "copying"}}}};
}

TEST(Progress, ShowsEachChangeOnce) {
  EXPECT_EQ(step_lines(nullptr, view("running", 0, {"done", "running", "pending"}), false, false), (std::vector<std::string>{"done     A: do it", "running  A: do it"}));
  EXPECT_EQ(step_lines(nullptr, view("running", 0, {"done", "running"}), true, false), (std::vector<std::string>{"done     A: do it"}));
  EXPECT_TRUE(step_lines(view("running", 0, {"done", "running"}), view("running", 9, {"done", "running"}), false, false).empty());
}

TEST(Progress, BarHasRateAndFits) {
  EXPECT_EQ(bar_line(view("running", 50, {}), 80, std::chrono::seconds(30), 0), "[##########----------]  50 %  copying  30s left");
  EXPECT_EQ(bar_line(view("running", 50, {}), 46, std::chrono::seconds(30), 0), "[##########----------]  50 %  copyin  30s left");
  EXPECT_EQ(bar_line(view("running", 50, {}), 80, std::chrono::seconds(1), 50), "[##########----------]  50 %  copying");
  EXPECT_LE(bar_line(view("running", 50, {}), 20, std::chrono::seconds(30), 0).size(), 20u);
  EXPECT_EQ(bar_line({{"state", "running"}, {"progress", {{"percent", nullptr}, {"text", "waiting"}}}}, 80, std::chrono::seconds(1), -1), "waiting");
}

TEST(Progress, SurvivesNonsense) {
  std::ostringstream out;
  Progress progress(out, 40, false, "");
  for (const char* text : {"null", "{}", "[]", R"({"state":1,"steps":[1,null],"progress":[]})", R"({"state":"running","progress":{"percent":1e300}})"}) progress.show(Json::parse(text));
  SUCCEED();
}

TEST(Problems, SayThreeThings) {
  const Error error = Error(ErrorCode::busy, "vm1 is being migrated").with_safe("vm1 runs").with_next("hvctl op list");
  EXPECT_EQ(problem_text(error, 0, false), "error: vm1 is being migrated [busy]\n safe: vm1 runs\n next: hvctl op list\n");
}

}  // namespace
}  // namespace mcv::cli::render_test
