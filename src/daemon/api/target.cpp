// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/target.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/core/utf8.h"

namespace mcv::api {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error refuse(std::string_view why) { return Error(ErrorCode::bad_request, fmt::format("the request's target {}", why)); }

Result<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return refuse("holds a broken % escape");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return refuse("holds a control character");
    decoded += c;
  }
  if (valid_utf8(decoded) != decoded) return refuse("is not UTF-8");
  return decoded;
}

Status add_segment(std::string_view text, Target& target) {
  MCV_TRY(std::string segment, decode(text));
  if (segment.empty() || segment == "." || segment == ".." || segment.find('/') != std::string::npos) return refuse("holds an empty, '.' or '..' part or an encoded slash");
  target.segments.push_back(std::move(segment));
  return success();
}

Status add_query(std::string_view text, Target& target) {
  if (text.empty()) return success();
  const std::size_t equals = std::min(text.find('='), text.size());
  MCV_TRY(std::string key, decode(text.substr(0, equals)));
  MCV_TRY(std::string value, decode(equals < text.size() ? text.substr(equals + 1) : std::string_view()));
  if (!target.query.emplace(key, std::move(value)).second) return refuse(fmt::format("gives '{}' twice", key));
  return success();
}

/// Calls `each` for every part between separators.
template <typename Each>
Status split(std::string_view text, char separator, Each each) {
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    MCV_CHECK(each(text.substr(0, end)));
    if (end == text.size()) return success();
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string Target::path() const {
  std::string text;
  for (const std::string& segment : segments) text += "/" + segment;
  return text;
}

Result<Target> parse_target(std::string_view text) {
  if (text.empty() || text.front() != '/') return refuse("does not begin with '/'");
  if (text.find('#') != std::string_view::npos) return refuse("holds '#'");
  const std::size_t question = std::min(text.find('?'), text.size());
  Target target;
  MCV_CHECK(split(text.substr(1, question - 1), '/', [&](std::string_view part) { return add_segment(part, target); }));
  if (question < text.size()) {
    MCV_CHECK(split(text.substr(question + 1), '&', [&](std::string_view part) { return add_query(part, target); }));
  }
  return target;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) encoded += c;
    else encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace mcv::api
