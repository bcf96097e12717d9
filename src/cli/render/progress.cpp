// SPDX-License-Identifier: Apache-2.0
#include "cli/render/progress.h"

#include <algorithm>
#include <fmt/format.h>

#include "cli/render/text.h"

namespace mcv::cli {
namespace {

double percent_of(const Json& view) {
  const Json& progress = object_at(view, "progress");
  const auto found = progress.find("percent");
  return found != progress.end() && found->is_number() ? std::clamp(found->get<double>(), 0.0, 100.0) : -1.0;
}

std::string cut(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return text;
  return wrapped(text, width).front();
}

}  // namespace

std::vector<std::string> step_lines(const Json& before, const Json& now, bool only_ended, bool colour) {
  std::vector<std::string> lines;
  const Json& old_steps = list_at(before, "steps");
  const Json& steps = list_at(now, "steps");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string state = text_at(steps[i], "state");
    const std::string old_state = i < old_steps.size() ? text_at(old_steps[i], "state") : "pending";
    if (state == old_state || state == "pending" || (only_ended && state == "running")) continue;
    const std::string node = text_at(steps[i], "node");
    std::string text = text_at(steps[i], "text");
    if (text.empty()) text = text_at(steps[i], "action");
    lines.push_back(fmt::format("{}{}  {}{}", paint(tone_of(state), state, colour), std::string(7 - std::min<std::size_t>(7, state.size()), ' '), node.empty() ? "" : node + ": ", text));
  }
  return lines;
}

std::string bar_line(const Json& view, std::size_t width, std::chrono::milliseconds elapsed, double first_percent) {
  const double percent = percent_of(view);
  std::string text = text_at(object_at(view, "progress"), "text");
  if (percent < 0) return cut(text.empty() ? text_at(view, "summary") : text, width);
  constexpr std::size_t cells = 20;
  const auto full = static_cast<std::size_t>(percent / 100.0 * cells);
  const std::string bar = fmt::format("[{}{}] {:>3.0f} %", std::string(full, '#'), std::string(cells - full, '-'), percent);
  const double gained = percent - first_percent;
  std::string left;
  if (first_percent >= 0 && gained >= 1 && elapsed.count() >= 2000 && percent < 100) {
    left = "  " + duration_text(static_cast<std::int64_t>(static_cast<double>(elapsed.count()) / 1000.0 * (100 - percent) / gained)) + " left";
  }
  // Several disks at once make a long text: it gives way, not the time that is left.
  const std::size_t taken = width_of(bar) + width_of(left) + 2;
  if (!text.empty() && taken < width) text = "  " + cut(text, width - taken);
  else text.clear();
  return cut(bar + text + left, width);
}

Progress::Progress(std::ostream& out, std::size_t width, bool colour, std::string label) : out_(out), width_(width), colour_(colour), label_(std::move(label)) {
  if (!label_.empty()) label_ += ": ";
}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (bar_shown_) out_ << "\r\x1b[K" << std::flush;
  bar_shown_ = false;
}

void Progress::show_plain_percent(const Json& view) {
  const double percent = percent_of(view);
  const int tenth = percent < 0 ? -1 : static_cast<int>(percent / 10);
  if (tenth == last_tenth_ || percent < 0) return;
  last_tenth_ = tenth;
  out_ << label_ << fmt::format("{:.0f} %  {}", percent, text_at(object_at(view, "progress"), "text")) << '\n';
}

void Progress::show(const Json& view) {
  const double percent = percent_of(view);
  if (percent >= 0 && (first_percent_ < 0 || percent < first_percent_)) {
    first_percent_ = percent;
    first_time_ = std::chrono::steady_clock::now();
  }
  clear();
  for (const std::string& line : step_lines(last_, view, width_ > 0, colour_)) out_ << label_ << line << '\n';
  last_ = view;
  const bool running = text_at(view, "state") == "running";
  if (width_ == 0) {
    if (running) show_plain_percent(view);
  } else if (running) {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - first_time_);
    out_ << label_ << bar_line(view, width_ - 1 - std::min(width_ - 1, width_of(label_)), elapsed, first_percent_);
    bar_shown_ = true;
  }
  out_ << std::flush;
}

}  // namespace mcv::cli
