// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <set>
#include <sstream>

#include "cli/command_table.h"
#include "cli/help.h"
#include "cli/suggest.h"

namespace mcv::cli::arguments_test {
namespace {

std::vector<std::string> words(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> result;
  for (std::string word; stream >> word;) result.push_back(word);
  return result;
}

Result<Invocation> parse(const std::string& line) { return parse_arguments(words(line)); }

std::string command_of(const std::string& line) {
  const auto invocation = parse(line);
  if (!invocation.ok()) return invocation.error().message();
  return invocation->command == nullptr ? "help" : std::string(invocation->command->name);
}

TEST(Arguments, FindTheCommandInEveryAcceptedSpelling) {
  for (const auto& [line, name] : std::vector<std::pair<std::string, std::string>>{
           {"vm list", "vm list"}, {"vm ls", "vm list"}, {"list", "vm list"}, {"-o json vm list", "vm list"}, {"vm -q list", "vm list"}, {"info", "info"}, {"info vm1", "info"},
           {"vm info vm1", "vm info"}, {"migrate --node B vm1", "migrate"}, {"vm migrate vm1 --node B", "migrate"}, {"cluster --add-node --node B --ip-address 10.0.0.2", "cluster add-node"},
           {"cluster --node B --add-node --ip-address=10.0.0.2", "cluster add-node"}, {"cluster add-node --node B", "cluster add-node"}, {"drbd --enable", "drbd enable"},
           {"node --set-ip-address 10.0.0.1", "node set-ip-address"}, {"node --set-ip-address=10.0.0.1", "node set-ip-address"}, {"node --set-drbd-address 10.0.0.1", "node set-drbd-address"},
           {"start vm1", "vm start"}, {"verify --all", "verify"}, {"node ls -all -vvv", "node list"}, {"node ls --all", "node list"}, {"cluster show", "info"}, {"vm help", "help"}, {"op watch A-1", "op watch"}, {"--help", "help"}, {"vm --help", "help"}, {"vm start --help", "help"}, {"help vm start", "help"}, {"", "help"}}) {
    EXPECT_EQ(command_of(line), name) << line;
  }
}

TEST(Arguments, KeepTheValueOfALegacyFlag) {
  const auto invocation = parse("node --set-drbd-address 10.0.1.1 --set-ip-address 10.0.0.1");
  ASSERT_TRUE(invocation.ok());
  EXPECT_EQ(invocation->command->name, "node set-ip-address");
  EXPECT_EQ(invocation->arguments.name(), "10.0.0.1");
  EXPECT_EQ(invocation->arguments.value("--drbd-address"), "10.0.1.1");
}

TEST(Help, FitsANarrowTerminal) {
  for (const std::string& topic : {std::string(), std::string("vm"), std::string("vm update")}) {
    std::istringstream lines(help_text(topic, 40));
    // The lines of explanations: commands, options and examples are to be read and copied as they are.
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(!line.starts_with("      ") || line.size() <= 40) << line;
    }
  }
}

TEST(Arguments, TakeAVmNamedByAnOption) {
  for (const char* line : {"vm start --id vm1 --attach", "vm start --attach --id=vm1", "vm info --id vm1"}) {
    const auto invocation = parse(line);
    ASSERT_TRUE(invocation.ok()) << line;
    EXPECT_EQ(invocation->arguments.names(), std::vector<std::string>{"vm1"}) << line;
  }
  EXPECT_FALSE(parse("op show --id A-1").ok());
}

TEST(Arguments, KnowWhatOtherProductsCallIt) {
  EXPECT_NE(parse("guest start vm1").error().message().find("did you mean 'hvctl vm'"), std::string::npos);
  EXPECT_NE(parse("host list").error().message().find("did you mean 'hvctl node'"), std::string::npos);
  EXPECT_NE(parse("node serve -vvv").error().next().find("systemctl enable --now mcvd"), std::string::npos);
}

TEST(Arguments, PointToTheHelpOfTheCommandForAnUnknownOption) { EXPECT_EQ(parse("vm list --jsn").error().next(), "hvctl vm list --help"); }

TEST(Arguments, SuggestTheNearestSpelling) {
  for (const auto& [line, expected] : std::vector<std::pair<std::string, std::string>>{
           {"vm strat vm1", "'hvctl vm start'"}, {"strat vm1", "'hvctl start'"}, {"vn list", "'hvctl vm'"}, {"vm create x --memry 1G", "--memory"}, {"cluster --add-nod", "--add-node"},
           {"--dryrun info", "--dry-run"}, {"help vm strat", "vm start"}}) {
    const auto invocation = parse(line);
    ASSERT_FALSE(invocation.ok()) << line;
    EXPECT_NE(invocation.error().message().find("did you mean " + expected), std::string::npos) << invocation.error().message();
  }
  EXPECT_EQ(parse("frobnicate").error().message(), "there is no command 'frobnicate'");
}

TEST(Arguments, RefuseWhatIsMissingDoubledOrTooMuch) {
  for (const char* line : {"vm", "vm start", "vm console a b", "migrate vm1", "migrate --node", "network create lan", "vm create a --cpus 1 --cpus 2", "vm start --attach=yes vm1", "-o yaml info",
                           "vm list extra", "vm create a --memory="}) {
    const auto invocation = parse(line);
    ASSERT_FALSE(invocation.ok()) << line;
    EXPECT_EQ(invocation.error().kind(), ErrorKind::invalid_request) << line;
    EXPECT_FALSE(invocation.error().next().empty()) << line;
  }
}

TEST(Arguments, ReadGlobalsAnywhereAndNamesAfterTwoDashes) {
  const auto invocation = parse("vm start -vv --no-wait -- -strange vm2 --dry-run");
  ASSERT_TRUE(invocation.ok());
  EXPECT_EQ(invocation->globals.verbose, 2);
  EXPECT_FALSE(invocation->globals.wait);
  EXPECT_FALSE(invocation->globals.dry_run);
  EXPECT_EQ(invocation->arguments.names(), (std::vector<std::string>{"-strange", "vm2", "--dry-run"}));
}

TEST(Arguments, TakeAValueThatLooksLikeAnOption) {
  const auto invocation = parse("vm create a --cmdline -q");
  ASSERT_TRUE(invocation.ok());
  EXPECT_EQ(invocation->arguments.value("--cmdline"), "-q");
  EXPECT_FALSE(invocation->globals.quiet);
}

TEST(Values, AreReadStrictly) {
  EXPECT_EQ(parse_size("--memory", "2G")->count(), std::uint64_t{2} << 30);
  EXPECT_EQ(parse_size("--memory", "10Q").error().message(), "--memory: '10Q' is not a size");
  EXPECT_FALSE(parse_size("--memory", "10Q").error().next().empty());
  EXPECT_EQ(*parse_seconds("--timeout", "90"), 90u);
  EXPECT_EQ(*parse_seconds("--timeout", "5m"), 300u);
  for (const char* bad : {"", "0", "-1", "5x", "1.5h", "999h", "m"}) EXPECT_FALSE(parse_seconds("--timeout", bad).ok()) << bad;
  for (const char* bad : {"", "0", "-1", "1025", "1x"}) EXPECT_FALSE(parse_count("--cpus", bad, 1024).ok()) << bad;
  for (const char* bad : {"", "host", "10.0.0", "10.0.0.1/24", "fe80::1%eth0", "10.0.0.1;reboot"}) EXPECT_FALSE(parse_address(bad).ok()) << bad;
  EXPECT_TRUE(parse_address("fd00::12").ok());
}

TEST(CommandTable, IsWhole) {
  std::set<std::string> spellings;
  for (const std::string& spelling : all_spellings()) EXPECT_TRUE(spellings.insert(spelling).second) << spelling << " is there twice";
  for (const Command& command : command_table()) {
    EXPECT_NE(command.run, nullptr) << command.name;
    EXPECT_FALSE(command.routes.empty()) << command.name;
    EXPECT_FALSE(command.examples.empty()) << command.name;
    EXPECT_FALSE(command.summary.empty() || command.summary.ends_with('.')) << command.name;
    EXPECT_EQ(command.operands.name.empty(), command.operands.max == 0) << command.name;
    for (const Option& option : command.options) {
      EXPECT_TRUE(option.name.starts_with("--")) << command.name;
      EXPECT_FALSE(option.help.empty() || option.help.ends_with('.')) << command.name << option.name;
    }
  }
}

TEST(CommandTable, ExamplesAreAcceptedByTheParser) {
  for (const Command& command : command_table()) {
    for (const std::string_view example : command.examples) {
      std::string line(example);
      // The one quoted word of the examples stands for itself.
      if (const auto quote = line.find('\''); quote != std::string::npos) line = line.substr(0, quote) + "quoted";
      const auto invocation = parse(line.substr(std::string_view("hvctl ").size()));
      ASSERT_TRUE(invocation.ok()) << example << ": " << invocation.error().message();
      EXPECT_EQ(invocation->command, &command) << example;
    }
  }
}

TEST(Help, FitsAndNamesEverything) {
  const std::string overview = help_text("", 80);
  for (const Command& command : command_table()) {
    EXPECT_NE(overview.find(command.name), std::string::npos) << command.name;
    const std::string help = help_text(command.name, 80);
    for (const Option& option : command.options) EXPECT_NE(help.find(option.name), std::string::npos) << command.name << option.name;
  }
  std::istringstream lines(overview);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Suggestions, AreNearOrNothing) {
  const std::vector<std::string> names{"web1", "web2", "database"};
  EXPECT_EQ(nearest("wbe1", names), "web1");
  EXPECT_EQ(nearest("databse", names), "database");
  EXPECT_EQ(nearest("mail", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(500, 'x'), names), "");
}

}  // namespace
}  // namespace mcv::cli::arguments_test
