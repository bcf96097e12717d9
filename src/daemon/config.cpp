// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string_view>

#include "cluster/core/utf8.h"
#include "cluster/model/ports.h"
#include "daemon/host/file_calls.h"

namespace mcv {
namespace {

/// Where a value of the file goes; returns why it is not acceptable, or nothing.
using Setter = std::function<std::string(DaemonConfig&, const toml::node&)>;

Setter path_to(std::string DaemonConfig::* member) {
  return [member](DaemonConfig& config, const toml::node& node) -> std::string {
    const auto value = node.value_exact<std::string>();
    if (!value.has_value() || value->empty() || value->front() != '/') return "is an absolute path in quotes";
    if (value->size() > 1 && value->back() == '/') return "is a path without '/' at its end";
    config.*member = *value;
    return {};
  };
}

std::string set_user(DaemonConfig& config, const toml::node& node) {
  const auto value = node.value_exact<std::string>();
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  if (!value.has_value() || value->empty() || value->size() > 31) return "is the name of a user";
  for (const char c : *value) {
    if (!allowed(c)) return "is the name of a user";
  }
  if (*value == "root") return "is an unprivileged user, never root";
  config.guest_user = *value;
  return {};
}

std::string set_port(DaemonConfig& config, const toml::node& node) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value.has_value() || *value < 1 || *value > 65535) return "is a number from 1 to 65535";
  if (*value >= first_drbd_port && *value <= last_drbd_port) return fmt::format("is not one of {} to {}, which are DRBD's", first_drbd_port, last_drbd_port);
  config.peer_port = static_cast<std::uint16_t>(*value);
  return {};
}

std::string set_client_limit(DaemonConfig& config, const toml::node& node) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value.has_value() || *value < 8 || *value > 4096) return "is a number from 8 to 4096";
  config.client_limit = static_cast<std::uint32_t>(*value);
  return {};
}

std::string set_level(DaemonConfig& config, const toml::node& node) {
  static const std::map<std::string, int, std::less<>> levels{{"info", 0}, {"debug", 1}, {"trace", 2}};
  const auto found = levels.find(node.value_exact<std::string>().value_or(""));
  if (found == levels.end()) return "is \"info\", \"debug\" or \"trace\"";
  config.verbosity = found->second;
  return {};
}

const std::map<std::string, Setter, std::less<>>& setters() {
  static const std::map<std::string, Setter, std::less<>> table{
      {"daemon.state_directory", path_to(&DaemonConfig::state_directory)},
      {"daemon.run_directory", path_to(&DaemonConfig::run_directory)},
      {"daemon.socket", path_to(&DaemonConfig::socket)},
      {"daemon.clients", set_client_limit},
      {"daemon.log_level", set_level},
      {"peer.port", set_port},
      {"guests.cloud_hypervisor", path_to(&DaemonConfig::cloud_hypervisor)},
      {"guests.qemu", path_to(&DaemonConfig::qemu)},
      {"guests.user", set_user},
      {"guests.console_directory", path_to(&DaemonConfig::console_directory)},
  };
  return table;
}

Error at(const std::string& file, const toml::source_region& region, ErrorCode code, const std::string& what) {
  return Error(code, fmt::format("{} line {}: {}", file, region.begin.line, what)).with_next(fmt::format("correct {} and run systemctl restart mcvd", file));
}

bool is_section(std::string_view name) {
  for (const auto& [key, setter] : setters()) {
    if (key.substr(0, key.find('.')) == name) return true;
  }
  return false;
}

Status read_section(const std::string& file, const std::string& section, const toml::table& table, DaemonConfig& config) {
  for (const auto& [name, node] : table) {
    const std::string key = section + "." + std::string(name.str());
    const auto setter = setters().find(key);
    if (setter == setters().end()) return at(file, name.source(), ErrorCode::unknown_field, fmt::format("unknown key '{}'", key));
    const std::string complaint = setter->second(config, node);
    if (!complaint.empty()) return at(file, node.source(), ErrorCode::bad_request, fmt::format("'{}' {}", key, complaint));
  }
  return success();
}

bool is_bare(std::string_view word) {
  return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_end(std::string_view rest) {
  rest = trimmed(rest);
  return rest.empty() || rest.front() == '#';
}

/// Behind the quote that ends a text in `quote`s; npos where none does. Of escapes those of quotes and backslashes: nothing else is
/// needed in a path or a word.
std::size_t end_of_text(std::string_view value, char quote) {
  for (std::size_t at = 1; at < value.size(); ++at) {
    if (value[at] == quote) return at + 1;
    if (value[at] != '\\' || quote != '"') continue;
    if (++at == value.size() || (value[at] != '"' && value[at] != '\\')) return std::string_view::npos;
  }
  return std::string_view::npos;
}

/// A text in one line, or a word.
bool is_value(std::string_view value) {
  if (value.empty()) return false;
  const bool quoted = value.front() == '"' || value.front() == '\'';
  const std::size_t end = quoted ? end_of_text(value, value.front()) : std::min(value.find_first_of(" \t#"), value.size());
  if (end == std::string_view::npos) return false;
  constexpr std::string_view word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.:";
  return is_end(value.substr(end)) && (quoted || value.substr(0, end).find_first_not_of(word) == std::string_view::npos);
}

/// UTF-8, and a carriage return only before the end of the line.
bool is_text(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto steers = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  return std::none_of(line.begin(), line.end(), steers) && valid_utf8(line) == line;
}

/// Less than TOML: sections, and one bare key with its value a line. The parser asserts on some of what it does not know ("[[["), and
/// goes where its authors thought nobody could on some characters outside of texts ("a=É").
bool is_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return true;
  if (line.front() == '[') {
    const std::size_t end = line.find(']');
    const std::string_view rest = end == std::string_view::npos ? "?" : trimmed(line.substr(end + 1));
    return is_bare(trimmed(line.substr(1, std::min(end, line.size()) - 1))) && is_end(rest);
  }
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos || !is_bare(trimmed(line.substr(0, equals)))) return false;
  return is_value(trimmed(line.substr(equals + 1)));
}

Status check_lines(std::string_view text, const std::string& file) {
  if (text.size() > 64 * 1024) return Error(ErrorCode::too_large, fmt::format("{}: more than 64 KiB", file)).with_next("man mcvd.toml");
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    if (!is_text(text.substr(0, end)) || !is_line(trimmed(text.substr(0, end)))) {
      return Error(ErrorCode::bad_request, fmt::format("{}:{}: is a [section], a key = value, or a comment", file, number)).with_next("man mcvd.toml");
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return success();
}

}  // namespace

Result<DaemonConfig> parse_daemon_config(const std::string& text, const std::string& file) {
  MCV_CHECK(check_lines(text, file));
  toml::table document;
  try {
    document = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    return at(file, error.source(), ErrorCode::bad_request, std::string(error.description()));
  }
  DaemonConfig config;
  for (const auto& [name, node] : document) {
    const std::string section(name.str());
    const toml::table* table = node.as_table();
    if (!is_section(section) || table == nullptr) return at(file, name.source(), ErrorCode::unknown_field, fmt::format("unknown section or key '{}'", section));
    MCV_CHECK(read_section(file, section, *table, config));
  }
  return config;
}

Result<DaemonConfig> load_daemon_config(const std::string& file) {
  MCV_TRY(const std::string text, host::file_calls::read(file));
  return parse_daemon_config(text, file);
}

}  // namespace mcv
