// SPDX-License-Identifier: Apache-2.0
// mcv_sim --seed N --schedules K [--kind NAME] [--replay] [--trace]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "engine/last_words.h"
#include "world/schedule.h"

namespace {

using namespace mcv::sim;

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t schedules = 100;
  std::string kind;
  std::string seeds_file;
  std::uint64_t stop_after = 20;
  bool replay = false;
  bool trace = false;
};

const std::vector<std::pair<std::string, Schedule>> kinds = {
    {"state", state_schedule},
    {"plan", plan_schedule},
    {"node", node_schedule},
    {"job", main_job_schedule},
    {"rough", rough_schedule},
    {"alone", alone_schedule},
    {"consent", consent_schedule},
    {"run-alone", run_alone_schedule},
    {"lost-disk", lost_disk_schedule},
    {"leave", leave_schedule},
    {"console", console_schedule},
    {"upgrade", upgrade_schedule},
    {"step", step_schedule},
    {"removal", removal_schedule},
    {"repair", repair_schedule},
    {"attach", attach_schedule},
    {"orphan", orphan_schedule},
    {"late-delete", late_delete_schedule},
    {"convert", convert_schedule},
    {"answer", answer_schedule},
    {"verify", verify_schedule},
};

int usage() {
  std::fprintf(stderr,
               "mcv_sim --seed N --schedules K [--kind NAME] [--seeds FILE] [--stop-after N] [--replay] [--trace]\n"
               "  --seed N       the first seed (1)\n"
               "  --schedules K  how many, one seed after the other, kinds in turn (100)\n"
               "  --kind NAME    only this kind:");
  for (const auto& [name, schedule] : kinds) std::fprintf(stderr, " %s", name.c_str());
  std::fprintf(stderr,
               "\n  --seeds FILE   first the lines \"KIND SEED\" of this file: seeds that failed once\n"
               "  --stop-after N failures (20)\n"
               "  --replay       run each schedule twice and compare the traces\n"
               "  --trace        print what happens\n");
  return 2;
}

bool read_options(int count, char** words, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string { return i + 1 < count ? words[++i] : std::string(); };
    if (word == "--seed") options.seed = std::strtoull(value().c_str(), nullptr, 10);
    else if (word == "--schedules") options.schedules = std::strtoull(value().c_str(), nullptr, 10);
    else if (word == "--kind") options.kind = value();
    else if (word == "--seeds") options.seeds_file = value();
    else if (word == "--stop-after") options.stop_after = std::strtoull(value().c_str(), nullptr, 10);
    else if (word == "--replay") options.replay = true;
    else if (word == "--trace") options.trace = true;
    else return false;
  }
  return true;
}

struct Totals {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::uint64_t events = 0;
  std::map<std::string, std::map<std::string, std::uint64_t>> covered;
};

void run_one(const std::string& kind, const Schedule& schedule, std::uint64_t seed, const Options& options, Totals& totals) {
  set_last_words(fmt::format("CRASHED in {} seed {}\n  again: mcv_sim --kind {} --seed {} --schedules 1 --trace", kind, seed, kind, seed));
  ScheduleReport report = schedule(seed, options.trace);
  if (options.replay) {
    const ScheduleReport again = schedule(seed, false);
    if (again.trace_hash != report.trace_hash) report.violations.push_back("the same seed gave another trace");
  }
  totals.events += report.events;
  for (const auto& [pair, times] : report.covered) totals.covered[kind][pair] += times;
  if (report.violations.empty()) {
    ++totals.passed;
    return;
  }
  ++totals.failed;
  std::printf("\nFAILED %s seed %llu\n", kind.c_str(), static_cast<unsigned long long>(seed));
  for (const std::string& line : report.trace) std::printf("    %s\n", line.c_str());
  for (const std::string& violation : report.violations) std::printf("  %s\n", violation.c_str());
  std::printf("  replay: mcv_sim --kind %s --seed %llu --schedules 1 --replay --trace\n", kind.c_str(), static_cast<unsigned long long>(seed));
  std::fflush(stdout);  // a long run is read while it goes on
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read_options(count, words, options)) return usage();
  std::map<std::string, Schedule> chosen;
  for (const auto& [name, schedule] : kinds) {
    if (options.kind.empty() || options.kind == name) chosen.emplace(name, schedule);
  }
  if (chosen.empty()) return usage();

  Totals totals;
  const auto begin = std::chrono::steady_clock::now();
  if (!options.seeds_file.empty()) {
    std::ifstream file(options.seeds_file);
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words_of(line);
      std::string kind;
      std::uint64_t seed = 0;
      if (words_of >> kind >> seed && chosen.contains(kind)) run_one(kind, chosen.at(kind), seed, options, totals);
    }
  }
  auto next = chosen.begin();
  for (std::uint64_t i = 0; i < options.schedules; ++i) {
    run_one(next->first, next->second, options.seed + i, options, totals);
    if (++next == chosen.end()) next = chosen.begin();
    if (totals.failed >= options.stop_after) {
      std::printf("stopped after %llu failures\n", static_cast<unsigned long long>(totals.failed));
      break;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const std::uint64_t total = totals.passed + totals.failed;
  for (const auto& [kind, pairs] : totals.covered) {
    std::printf("%s: %zu pairs covered\n", kind.c_str(), pairs.size());
    if (options.schedules > 1 && !options.trace) {
      for (const auto& [pair, times] : pairs) std::printf("  %-60s %8llu\n", pair.c_str(), static_cast<unsigned long long>(times));
    }
  }
  std::printf("%.0f schedules per minute, %llu events (%.0f per schedule), %.1f s\n", static_cast<double>(total) / seconds * 60,
              static_cast<unsigned long long>(totals.events), total > 0 ? static_cast<double>(totals.events) / static_cast<double>(total) : 0.0, seconds);
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(totals.passed), static_cast<unsigned long long>(totals.failed));
  return totals.failed == 0 ? 0 : 1;
}
