// SPDX-License-Identifier: Apache-2.0
// One libFuzzer program for every target: MCV_FUZZ_TARGET=NAME mcv_fuzz [libFuzzer's options] CORPUS. Without it, the names; with
// MCV_FUZZ_RECORDED=NAME, the files below tests/data that belong to its corpus.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
