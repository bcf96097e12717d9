// SPDX-License-Identifier: Apache-2.0
// One libFuzzer program for every target: MCV_FUZZ_TARGET=NAME mcv_fuzz [libFuzzer's options] CORPUS. Without it, the names; with
// MCV_FUZZ_RECORDED=NAME, the files below tests/data that belong to its corpus.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "json_mutator.h"
#include "targets.h"

namespace {

const mcv::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  static const std::vector<mcv::fuzz::Target> targets = mcv::fuzz::all_targets();
  const char* name = std::getenv("MCV_FUZZ_TARGET");
  const char* recorded_of = std::getenv("MCV_FUZZ_RECORDED");
  for (const mcv::fuzz::Target& target : targets) {
    if (recorded_of != nullptr && target.name == recorded_of) {
      for (const std::string& file : target.recorded) std::puts(file.c_str());
    }
    if (recorded_of != nullptr) continue;
    if (name == nullptr) std::puts(target.name.c_str());
    else if (target.name == name) chosen = &target;
  }
  if (name == nullptr) std::exit(0);
  if (chosen == nullptr) {
    std::fprintf(stderr, "no target is called %s\n", name);
    std::exit(2);
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Half of the times by value, where there is JSON in it, otherwise by bytes.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 2 == 0) {
    const auto spoiled = mcv::fuzz::spoil_json(std::string_view(reinterpret_cast<const char*>(data), size), random);
    if (spoiled && !spoiled->empty() && spoiled->size() <= max_size) {
      std::memcpy(data, spoiled->data(), spoiled->size());
      return spoiled->size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
