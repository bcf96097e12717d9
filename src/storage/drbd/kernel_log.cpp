// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/kernel_log.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "cluster/core/json.h"

namespace mcv::drbd {
namespace {

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + mark.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || end == rest.data()) return std::nullopt;
  return value;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

void begin_pass(VerifyPass& pass, std::uint64_t start) {
  pass = VerifyPass();
  pass.start_sector = start;
}

void add_range(VerifyPass& pass, std::string_view text) {
  const auto start = number_after(text, "start=");
  const auto size = number_after(text, "size=");
  // One whose end is no number would be found nowhere, and never be joined with another.
  if (start && size && *size <= std::numeric_limits<std::uint64_t>::max() - *start) pass.ranges.push_back(SectorRange{*start, *size});
}

void read_connection_change(VerifyPass& pass, std::string_view text) {
  if (!pass.start_sector || pass.ended) return;
  if (contains(text, "conn( VerifyS -> Connected )") || contains(text, "conn( VerifyT -> Connected )")) {
    pass.ended = true;
  } else {
    pass.connection_changed = true;
    pass.ended = true;
  }
}

void read_device_line(VerifyPass& pass, std::string_view text) {
  // "Online Verify start sector" is the side that answers, "Starting Online Verify from sector" the one that asks.
  if (const auto asked = number_after(text, "Starting Online Verify from sector ")) return begin_pass(pass, *asked);
  if (const auto answering = number_after(text, "Online Verify start sector: ")) return begin_pass(pass, *answering);
  if (!pass.start_sector) return;
  if (contains(text, "Out of sync: start=")) return add_range(pass, text);
  if (contains(text, "Online verify done ")) pass.done = true;
  if (const auto marked = number_after(text, "Online verify found ")) pass.marked_blocks = *marked;
  if (const auto reached = number_after(text, "Online Verify reached sector ")) pass.reached = *reached;
  if (contains(text, "conn( ")) read_connection_change(pass, text);
}

std::vector<SectorRange> joined(std::vector<SectorRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const SectorRange& a, const SectorRange& b) { return a.start < b.start; });
  std::vector<SectorRange> result;
  for (const SectorRange& range : ranges) {
    if (!result.empty() && result.back().start + result.back().count >= range.start) {
      SectorRange& last = result.back();
      last.count = std::max(last.start + last.count, range.start + range.count) - last.start;
    } else {
      result.push_back(range);
    }
  }
  return result;
}

}  // namespace

Result<std::vector<KernelLine>> parse_kernel_log(std::string_view text) {
  std::vector<KernelLine> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    MCV_TRY(const Json json, parse_json(line));
    const auto cursor = json.find("__CURSOR");
    const auto message = json.find("MESSAGE");  // an array of bytes when it is not UTF-8: not DRBD's
    if (cursor == json.end() || !cursor->is_string()) return Error(ErrorCode::bad_output, "a journal line has no cursor");
    if (message == json.end() || !message->is_string()) continue;
    lines.push_back(KernelLine{cursor->get<std::string>(), message->get<std::string>()});
  }
  return lines;
}

VerifyPass read_pass(const std::vector<KernelLine>& lines, std::uint32_t minor, const std::string& resource) {
  const std::string device_prefix = fmt::format("block drbd{}: ", minor);
  const std::string resource_prefix = fmt::format("drbd {}: ", resource);
  VerifyPass pass;
  for (const KernelLine& line : lines) {
    const std::string_view message = line.message;
    if (message.compare(0, device_prefix.size(), device_prefix) == 0) {
      read_device_line(pass, message.substr(device_prefix.size()));
    } else if (message.compare(0, resource_prefix.size(), resource_prefix) == 0 && contains(message, "conn( ")) {
      read_connection_change(pass, message.substr(resource_prefix.size()));
    }
  }
  pass.ranges = joined(std::move(pass.ranges));
  return pass;
}

namespace commands {

host::Command last_kernel_line() {
  return {{"journalctl", "--dmesg", "--lines=1", "--output=json", "--output-fields=MESSAGE", "--no-pager", "--quiet"}, std::chrono::milliseconds(60'000), {}};
}

host::Command sync_journal() { return {{"journalctl", "--sync"}, std::chrono::milliseconds(60'000), {}}; }

host::Command kernel_log_after(const std::string& cursor) {
  return {{"journalctl", "--dmesg", "--output=json", "--output-fields=MESSAGE", "--no-pager", "--quiet",
           "--after-cursor=" + cursor},
          std::chrono::milliseconds(60'000),
          {}};
}

}  // namespace commands
}  // namespace mcv::drbd
