// SPDX-License-Identifier: Apache-2.0
// Everything that reads text from outside, one function each: whatever comes, it neither crashes nor runs away, and what it takes
// it can say again. libFuzzer drives them (tests/run.sh fuzz), and a unit test replays every corpus with spoiled copies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mcv::fuzz {

struct Target {
  std::string name;                    ///< of the corpus below tests/fuzz/corpus as well
  void (*run)(std::string_view text);  ///< aborts when something that must hold does not
  std::vector<std::string> recorded;   ///< files below tests/data that belong to the corpus
};

/// By module; `all_targets` is every one of them.
std::vector<Target> cluster_targets();
std::vector<Target> group_targets();
std::vector<Target> request_targets();
std::vector<Target> storage_targets();
std::vector<Target> hv_targets();
std::vector<Target> daemon_targets();
std::vector<Target> cli_targets();
std::vector<Target> client_targets();
std::vector<Target> store_targets();
std::vector<Target> all_targets();

/// Ends the process with the reason: libFuzzer keeps the input, and the replay fails.
void must(bool holds, const char* what);

}  // namespace mcv::fuzz
