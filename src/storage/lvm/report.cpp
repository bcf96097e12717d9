// SPDX-License-Identifier: Apache-2.0
#include "storage/lvm/report.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <fmt/format.h>

#include "cluster/core/json.h"

namespace mcv::lvm {
namespace {

Error bad(std::string_view what) {
  return Error(ErrorCode::bad_output, fmt::format("LVM's report could not be read: {}", what));
}

/// The rows of `kind` ("vg" or "lv") of the one report.
Result<Json> rows_of(std::string_view text, const char* kind) {
  MCV_TRY(Json json, parse_json(text));
  const auto reports = json.find("report");
  if (reports == json.end() || !reports->is_array() || reports->size() != 1) return bad("no single report");
  const Json& report = reports->front();
  const auto rows = report.find(kind);
  if (rows == report.end() || !rows->is_array()) return bad(fmt::format("no rows of kind {}", kind));
  return *rows;
}

/// All of LVM's values are texts, numbers too.
Result<std::string> text_of(const Json& row, const char* column) {
  const auto found = row.find(column);
  if (found == row.end() || !found->is_string()) return bad(fmt::format("no column {}", column));
  return found->get<std::string>();
}

Result<Bytes> bytes_of(const Json& row, const char* column) {
  MCV_TRY(const std::string text, text_of(row, column));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return bad(fmt::format("{} is \"{}\"", column, text));
  return Bytes(value);
}

/// Empty for what has no such figure; LVM prints two decimals.
Result<std::optional<double>> percent_of(const Json& row, const char* column) {
  MCV_TRY(const std::string text, text_of(row, column));
  if (text.empty()) return std::optional<double>();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // "nan" and "inf" are numbers for from_chars.
  const bool is_share = value >= 0 && value <= 100;
  if (error != std::errc() || end != text.data() + text.size() || !is_share) return bad(fmt::format("{} is \"{}\"", column, text));
  return std::optional<double>(value);
}

/// "2026-11-30 09:00:00 +0000", LVM's default (lvm.conf: report/time_format); 0 for another one.
std::int64_t time_of(const Json& row, const char* column) {
  const auto found = row.find(column);
  if (found == row.end() || !found->is_string()) return 0;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zone = 0;
  const std::string text = found->get<std::string>();
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d %2d:%2d:%2d %5d", &year, &month, &day, &hour, &minute, &second, &zone) != 7) return 0;
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  const int east = (zone / 100 * 60 + zone % 100) * 60;
  return static_cast<std::int64_t>(timegm(&parts)) - east;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    if (end > start) words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

Result<LogicalVolume> logical_volume_of(const Json& row) {
  LogicalVolume volume;
  MCV_TRY(volume.name, text_of(row, "lv_name"));
  MCV_TRY(volume.volume_group, text_of(row, "vg_name"));
  MCV_TRY(volume.pool, text_of(row, "pool_lv"));
  MCV_TRY(volume.size, bytes_of(row, "lv_size"));
  MCV_TRY(const std::string tags, text_of(row, "lv_tags"));
  volume.tags = split(tags);
  MCV_TRY(const std::string attributes, text_of(row, "lv_attr"));
  if (attributes.size() < 6) return bad(fmt::format("lv_attr is \"{}\"", attributes));
  volume.thin_pool = attributes[0] == 't';
  volume.thin = attributes[0] == 'V';
  volume.open = attributes[5] == 'o';
  MCV_TRY(volume.data_percent, percent_of(row, "data_percent"));
  MCV_TRY(volume.metadata_percent, percent_of(row, "metadata_percent"));
  MCV_TRY(const std::string zero, text_of(row, "zero"));
  volume.zeroing = volume.thin_pool && zero == "zero";
  MCV_TRY(const std::string when_full, text_of(row, "lv_when_full"));
  volume.fails_when_full = when_full == "error";
  MCV_TRY(volume.chunk, bytes_of(row, "chunk_size"));
  volume.created = time_of(row, "lv_time");
  return volume;
}

}  // namespace

const LogicalVolume* find(const std::vector<LogicalVolume>& volumes, const std::string& volume_group, const std::string& name) {
  const auto found =
      std::find_if(volumes.begin(), volumes.end(), [&](const LogicalVolume& volume) { return volume.volume_group == volume_group && volume.name == name; });
  return found == volumes.end() ? nullptr : &*found;
}

bool LogicalVolume::has_tag(std::string_view tag) const { return std::find(tags.begin(), tags.end(), tag) != tags.end(); }

Result<std::vector<VolumeGroup>> parse_volume_groups(std::string_view json) {
  MCV_TRY(const Json rows, rows_of(json, "vg"));
  std::vector<VolumeGroup> groups;
  for (const Json& row : rows) {
    VolumeGroup group;
    MCV_TRY(group.name, text_of(row, "vg_name"));
    MCV_TRY(group.size, bytes_of(row, "vg_size"));
    MCV_TRY(group.free, bytes_of(row, "vg_free"));
    MCV_TRY(group.extent, bytes_of(row, "vg_extent_size"));
    groups.push_back(std::move(group));
  }
  return groups;
}

Result<std::vector<LogicalVolume>> parse_logical_volumes(std::string_view json) {
  MCV_TRY(const Json rows, rows_of(json, "lv"));
  std::vector<LogicalVolume> volumes;
  for (const Json& row : rows) {
    MCV_TRY(LogicalVolume volume, logical_volume_of(row));
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

}  // namespace mcv::lvm
