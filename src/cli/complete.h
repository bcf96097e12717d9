// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace mcv::cli {

/// What may stand for the word that is being typed.
struct Completion {
  std::vector<std::string> candidates;
  bool path = false;  ///< a file's name goes here: the shell knows better than hvctl
};

/// What a completion with `path` ends with, for config/completion.
inline constexpr int exit_complete_path = 3;

/// For the last of `words` (which may be empty), as a shell divides them: bash cuts "--node=B" in three. Names of objects are asked of
/// mcvd with a short deadline; without it there are none.
Completion complete(std::vector<std::string> words);

}  // namespace mcv::cli
