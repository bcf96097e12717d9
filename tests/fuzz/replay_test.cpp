// SPDX-License-Identifier: Apache-2.0
// Every corpus once more, as it is and spoiled, always in the same ways: what was found stays found, in each run of the unit tests.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "targets.h"

namespace mcv::fuzz {
namespace {

constexpr int spoiled_copies = 100;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> corpus_of(const Target& target) {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path directory = std::filesystem::path(MCV_FUZZ_CORPUS) / target.name;
  if (std::filesystem::exists(directory)) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::string& name : target.recorded) files.push_back(std::filesystem::path(MCV_TEST_DATA) / name);
  return files;
}

std::string spoiled(std::string text, std::mt19937& random) {
  static const std::vector<std::string> bits = {"{", "}", "[", "]", "\"", "\\", "\n", "\r\n", std::string(1, '\0'), "\xff\xfe", "null", "-1", "1e999", "18446744073709551616", ",", ":", "%00", " ", "\x1b["};
  const auto below = [&random](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (std::size_t times = 1 + below(6); times > 0; --times) {
    const std::size_t at = below(text.size() + 1);
    switch (below(5)) {
      case 0: text.insert(at, bits[below(bits.size())]); break;
      case 1: text.erase(at, below(40)); break;
      case 2: text.insert(at, text.substr(below(text.size() + 1), below(200))); break;
      case 3: text.insert(at, std::string(below(200), "{[\"0"[below(4)])); break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
    }
  }
  return text;
}

/// What runs now: a target that aborts takes the test with it, so the handler says what it was given.
std::string current_input;

void say_input(int) {
  std::fputs("\nthe input, escaped: ", stderr);
  for (const char byte : current_input) std::fprintf(stderr, byte >= ' ' && byte < 127 && byte != '\\' ? "%c" : "\\x%02x", static_cast<unsigned char>(byte));
  std::fputs("\n", stderr);
}

void run(const Target& target, std::string text) {
  current_input = std::move(text);
  target.run(current_input);
}

class ReplayTest : public ::testing::TestWithParam<Target> {};

TEST_P(ReplayTest, NothingThatWasFoundComesBack) {
  const Target& target = GetParam();
  const auto files = corpus_of(target);
  ASSERT_GE(files.size(), 2u) << "a corpus says what the text looks like";
  std::mt19937 random(20260715);
  std::signal(SIGABRT, say_input);
  run(target, "");
  for (const std::filesystem::path& file : files) {
    SCOPED_TRACE(file.string());
    const std::string text = read(file);
    ASSERT_FALSE(text.empty() && file.filename() != "empty") << file;
    run(target, text);
    for (int copy = 0; copy < spoiled_copies; ++copy) run(target, spoiled(text, random));
  }
}

INSTANTIATE_TEST_SUITE_P(Corpora, ReplayTest, ::testing::ValuesIn(all_targets()), [](const auto& one) {
  std::string name = one.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(CorpusTest, EveryDirectoryBelongsToATarget) {
  const std::vector<Target> targets = all_targets();
  for (const auto& entry : std::filesystem::directory_iterator(MCV_FUZZ_CORPUS)) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(std::any_of(targets.begin(), targets.end(), [&](const Target& target) { return target.name == name; })) << name;
  }
}

}  // namespace
}  // namespace mcv::fuzz
