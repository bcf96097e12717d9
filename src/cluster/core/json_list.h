// SPDX-License-Identifier: Apache-2.0
// A long list, item by item: a tree of all of it takes ten times the memory of its text and most of the time of a command.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cluster/core/json.h"

namespace mcv {

/// Of text from outside, with the limits of parse_json. `take` is given each item of the list under `key` of the outermost object, as
/// soon as it was read: also those before a place where the text turns out to be broken. What is returned is the rest of the object,
/// with an empty list.
Result<Json> parse_json_list(std::string_view text, std::string_view key, const std::function<void(const Json&)>& take);

/// The reverse, the object's other members first: each item may be forgotten once it was added.
class JsonListText {
 public:
  explicit JsonListText(std::string_view key, const Json& rest = Json::object());
  void add(const Json& item);
  std::string finish() &&;

 private:
  std::string text_;
  bool first_ = true;
};

}  // namespace mcv
