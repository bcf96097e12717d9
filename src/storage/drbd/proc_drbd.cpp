// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/proc_drbd.h"

#include <charconv>
#include <fmt/format.h>
#include <vector>

namespace mcv::drbd {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Reads a number at the start of `text`; DRBD groups thousands with commas in speeds.
std::optional<std::uint64_t> leading_number(std::string_view text) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == ',' && digits > 0) continue;
    if (c < '0' || c > '9') break;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  return value;
}

std::optional<std::string_view> after(std::string_view line, std::string_view mark) {
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  return line.substr(at + mark.size());
}

/// "	[=====>..............] verified: 30.8% (187672/262144)K"
std::optional<Progress> parse_progress(std::string_view line) {
  Progress progress;
  std::optional<std::string_view> rest = after(line, "] verified:");
  progress.verify = rest.has_value();
  if (!rest) rest = after(line, "] sync'ed:");
  if (!rest) return std::nullopt;
  const std::string_view percent = trimmed(*rest);
  const auto [end, error] = std::from_chars(percent.data(), percent.data() + percent.size(), progress.percent);
  if (error != std::errc() || end == percent.data() + percent.size() || *end != '%') return std::nullopt;
  // "nan" and "inf" are numbers for from_chars.
  if (!(progress.percent >= 0 && progress.percent <= 100)) return std::nullopt;
  const auto inside = after(*rest, "(");
  if (!inside) return std::nullopt;
  const auto left = leading_number(*inside);
  const auto slash = after(*inside, "/");
  const auto total = slash ? leading_number(*slash) : std::nullopt;
  if (!left || !total) return std::nullopt;
  const std::uint64_t unit = after(*inside, ")M") ? 1024 : 1;
  progress.left_kib = *left * unit;
  progress.total_kib = *total * unit;
  return progress;
}

/// The line of one device begins with "<minor>: cs:<state>".
bool parse_device_line(std::string_view line, std::uint32_t& minor, ProcDevice& device) {
  const std::string_view text = trimmed(line);
  const char* end_of_text = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), end_of_text, minor);
  if (error != std::errc() || end == end_of_text || *end != ':') return false;
  const auto state = after(text, "cs:");
  if (!state) return false;
  device.connection_state = std::string(state->substr(0, std::min(state->find(' '), state->size())));
  return true;
}

}  // namespace

Result<ProcDrbd> parse_proc_drbd(std::string_view text) {
  ProcDrbd result;
  ProcDevice* device = nullptr;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.compare(0, 9, "version: ") == 0) {
      const std::string_view version = line.substr(9);
      result.version = std::string(version.substr(0, std::min(version.find(' '), version.size())));
      continue;
    }
    std::uint32_t minor = 0;
    ProcDevice parsed;
    if (parse_device_line(line, minor, parsed)) {
      device = nullptr;
      if (parsed.connection_state == "Unconfigured") continue;
      device = &(result.devices[minor] = parsed);
      continue;
    }
    if (device == nullptr) continue;
    if (const auto out_of_sync = after(line, " oos:")) device->out_of_sync_kib = leading_number(*out_of_sync).value_or(0);
    if (const auto progress = parse_progress(line)) device->progress = *progress;
    if (const auto speed = after(line, "speed: "); speed && device->progress) {
      device->progress->kib_per_second = leading_number(*speed).value_or(0);
      device->progress->stalled = line.find("(stalled)") != std::string_view::npos;
    }
  }
  if (result.version.empty()) return Error(ErrorCode::bad_output, "/proc/drbd names no version");
  return result;
}

Status check_version(std::string_view version) {
  if (version.compare(0, 4, "8.4.") == 0) return success();
  return Error(ErrorCode::drbd_version, fmt::format("the kernel's DRBD is {}; mcv is tested with 8.4, the one in Debian's kernel", version))
      .with_safe("no volume was touched")
      .with_next("modinfo --field version drbd");
}

}  // namespace mcv::drbd
