// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/json_list.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace mcv {
namespace {

/// The parser's events, for nlohmann::json::sax_parse, which names these functions. False from one of them ends the parsing.
class ListReader {
 public:
  ListReader(std::string_view key, const std::function<void(const Json&)>& take) : key_(key), take_(take) {}

  bool null() { return leaf(Json()); }
  bool boolean(bool value) { return leaf(value); }
  bool number_integer(std::int64_t value) { return leaf(value); }
  bool number_unsigned(std::uint64_t value) { return leaf(value); }
  bool number_float(double value, const std::string&) { return leaf(value); }
  bool string(std::string& value) { return leaf(std::move(value)); }
  bool binary(std::vector<std::uint8_t>&) { return false; }  // JSON has none

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) {
    const bool is_the_list = open_.size() == 1 && root_.is_object() && at_list_;
    if (!open(Json::array())) return false;
    if (is_the_list) open_.back() = nullptr;
    return true;
  }
  bool key(std::string& name) {
    at_list_ = open_.size() == 1 && name == key_;
    member_ = &(*open_.back())[std::move(name)];
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  template <typename Problem>
  bool parse_error(std::size_t, const std::string&, const Problem&) {
    return false;
  }

  bool too_deep() const { return too_deep_; }
  Json& root() { return root_; }

 private:
  bool in_list() const { return !open_.empty() && open_.back() == nullptr; }

  Json* put(Json value) {
    Json* place = &root_;
    if (in_list()) place = &item_;
    else if (!open_.empty() && open_.back()->is_array()) place = &open_.back()->emplace_back();
    else if (!open_.empty()) place = member_;
    *place = std::move(value);
    return place;
  }

  bool leaf(Json value) {
    put(std::move(value));
    tell_item();
    return true;
  }

  bool open(Json container) {
    too_deep_ = open_.size() >= json_depth_limit;
    if (!too_deep_) open_.push_back(put(std::move(container)));
    return !too_deep_;
  }

  bool close() {
    open_.pop_back();
    tell_item();
    return true;
  }

  /// After each value: was it a whole item?
  void tell_item() {
    if (in_list()) take_(item_);
  }

  std::string_view key_;
  const std::function<void(const Json&)>& take_;
  Json root_;
  Json item_;
  Json* member_ = nullptr;  ///< where the value of the last key goes
  std::vector<Json*> open_;  ///< what is not closed, outermost first; null is the list
  bool at_list_ = false;
  bool too_deep_ = false;
};

}  // namespace

Result<Json> parse_json_list(std::string_view text, std::string_view key, const std::function<void(const Json&)>& take) {
  ListReader reader(key, take);
  if (Json::sax_parse(text.begin(), text.end(), &reader)) return std::move(reader.root());
  return reader.too_deep() ? json_too_deep() : not_json();
}

JsonListText::JsonListText(std::string_view key, const Json& rest) : text_(canonical(rest)) {
  text_.back() = rest.empty() ? ' ' : ',';
  text_ += canonical(Json(key)) + ":[";
}

void JsonListText::add(const Json& item) {
  if (!std::exchange(first_, false)) text_ += ',';
  text_ += canonical(item);
}

std::string JsonListText::finish() && {
  text_ += "]}";
  return std::move(text_);
}

}  // namespace mcv
