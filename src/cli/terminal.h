// SPDX-License-Identifier: Apache-2.0
// What the command writes to and reads from.
#pragma once

#include <cstddef>
#include <string>
#include <termios.h>

namespace mcv::cli {

struct Terminal {
  bool input = false;         ///< somebody can answer a question
  bool output = false;        ///< standard output is a terminal
  bool error = false;
  bool colour = false;        ///< of standard output: a terminal, and NO_COLOR is not set
  bool error_colour = false;
  std::size_t width = 0;        ///< of standard output; 0 = not a terminal, do not wrap
  std::size_t error_width = 0;

  static Terminal detect();
};

/// The terminal's settings as they were, put back on every way out.
class TerminalMode {
 public:
  enum class Kind { raw, no_echo };
  TerminalMode(int descriptor, Kind kind);
  ~TerminalMode();
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;

 private:
  int descriptor_;
  bool changed_ = false;
  termios before_{};
};

}  // namespace mcv::cli
