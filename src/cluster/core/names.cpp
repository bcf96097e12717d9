// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/names.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_name_char(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }

}  // namespace

Status check_name(std::string_view what, std::string_view text, std::size_t limit) {
  if (text.empty()) return Error(ErrorCode::bad_name, fmt::format("the {} is empty", what));
  if (text.size() > limit) {
    return Error(ErrorCode::bad_name, fmt::format("the {} has {} bytes; at most {} are allowed", what, text.size(), limit));
  }
  if (!is_alnum(text.front()) || !std::all_of(text.begin(), text.end(), is_name_char)) {
    return Error(ErrorCode::bad_name,
                 fmt::format("the {} may hold letters, digits, '-', '_' and '.', and begins with a letter or digit", what));
  }
  // LVM reads "." and ".." as paths; two dots also end a systemd instance name in surprising ways.
  if (text.find("..") != std::string_view::npos) return Error(ErrorCode::bad_name, fmt::format("the {} holds '..'", what));
  return success();
}

Status check_user_name(std::string_view text) {
  if (text.empty()) return Error(ErrorCode::bad_name, "the user name is empty");
  if (text.size() > UserNameTag::limit) return Error(ErrorCode::bad_name, fmt::format("the user name has {} bytes; at most {} are allowed", text.size(), UserNameTag::limit));
  const auto may_follow = [](char c) { return is_name_char(c) || c == '@'; };
  const bool begins = (is_alnum(text.front()) && !(text.front() >= '0' && text.front() <= '9')) || text.front() == '_';
  if (!begins || !std::all_of(text.begin(), text.end(), may_follow)) {
    return Error(ErrorCode::bad_name, "a user name may hold letters, digits, '_', '-', '.' and '@', and begins with a letter or '_'");
  }
  return success();
}

}  // namespace mcv
