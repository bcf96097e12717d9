// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <sstream>

#include "daemon/node/observer.h"

namespace mcv {
namespace {

/// The text after "key" and its colon, without the blanks before it.
std::string_view value_of(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  line.remove_prefix(colon + 1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

template <typename Use>
void for_each_line(std::string_view text, Use use) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    use(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

MemoryInfo parse_meminfo(std::string_view text) {
  MemoryInfo info;
  for_each_line(text, [&info](std::string_view line) {
    std::uint64_t kib = 0;
    const std::string_view value = value_of(line);
    std::from_chars(value.data(), value.data() + value.size(), kib);
    if (line.starts_with("MemTotal:")) info.total = Bytes::kib(kib);
    if (line.starts_with("MemAvailable:")) info.available = Bytes::kib(kib);
  });
  return info;
}

CpuInfo parse_cpuinfo(std::string_view text) {
  CpuInfo info;
  for_each_line(text, [&info](std::string_view line) {
    if (line.starts_with("processor")) ++info.count;
    if (line.starts_with("model name") && info.model.empty()) info.model = std::string(value_of(line));
    if (line.starts_with("flags") && info.flags.empty()) {
      std::istringstream words{std::string(value_of(line))};
      for (std::string word; words >> word;) info.flags.push_back(word);
    }
  });
  return info;
}

}  // namespace mcv
