// SPDX-License-Identifier: Apache-2.0
#include "cli/render/problem.h"

#include <fmt/format.h>

#include "cli/render/text.h"
#include "cluster/core/problem.h"

namespace mcv::cli {
namespace {

void append_wrapped(std::string& text, std::string_view label, Tone tone, const std::string& words, std::size_t width, bool colour) {
  std::string lead = paint(tone, label, colour) + " ";
  const std::size_t indent = width_of(label) + 1;
  for (const std::string& line : wrapped(printable(words), width > indent + 20 ? width - indent : 100'000)) {
    text += lead + line + "\n";
    lead = std::string(indent, ' ');
  }
}

}  // namespace

std::string problem_text(const Error& error, std::size_t width, bool colour) {
  std::string text;
  append_wrapped(text, "error:", Tone::bad, fmt::format("{} [{}]", error.message(), to_text(error.code())), width, colour);
  const std::string safe = error.safe().empty() ? std::string(default_safe(error.kind())) : error.safe();
  append_wrapped(text, " safe:", Tone::good, safe, width, colour);
  const std::string next = error.next().empty() ? std::string(default_next(error.kind())) : error.next();
  append_wrapped(text, " next:", Tone::strong, next, width, colour);
  return text;
}

}  // namespace mcv::cli
