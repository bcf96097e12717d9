// SPDX-License-Identifier: Apache-2.0
// One operation as it goes: a line per finished step, and on a terminal a bar below them that is redrawn.
#pragma once

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "cluster/core/json.h"

namespace mcv::cli {

/// Lines for the steps whose state changed from `before` to `now`; all of them when `before` is null.
std::vector<std::string> step_lines(const Json& before, const Json& now, bool only_ended, bool colour);

/// "[#####-----]  50 %  copying  1m 3s left", at most `width` columns. `elapsed` is the time since the first percent
/// other than none, `first_percent` that percent.
std::string bar_line(const Json& view, std::size_t width, std::chrono::milliseconds elapsed, double first_percent);

class Progress {
 public:
  /// `width` 0: no terminal, plain lines. `label` stands before plain lines when several operations run, or is empty.
  Progress(std::ostream& out, std::size_t width, bool colour, std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const Json& view);
  /// Removes the bar.
  void clear();

 private:
  void show_plain_percent(const Json& view);

  std::ostream& out_;
  std::size_t width_;
  bool colour_;
  std::string label_;
  Json last_;
  bool bar_shown_ = false;
  int last_tenth_ = -1;
  double first_percent_ = -1;
  std::chrono::steady_clock::time_point first_time_;
};

}  // namespace mcv::cli
