// SPDX-License-Identifier: Apache-2.0
#include "world/secret_watch.h"

#include <fmt/format.h>
#include <utility>

#include "cluster/core/json.h"

namespace mcv::sim {

/// They are durable before they are used.
void SecretWatch::learn() {
  for (std::size_t i = 0; i < disks_.size(); ++i) {
    const auto file = disks_[i]->files.find(path_);
    if (file == disks_[i]->files.end() || file->second.text == seen_[i]) continue;
    seen_[i] = file->second.text;
    const auto json = parse_json(seen_[i]);
    if (!json.ok() || !json->is_object()) continue;
    for (const auto& item : json->items()) {
      if (item.value().is_string() && !item.value().get_ref<const std::string&>().empty()) secrets_.emplace(item.value().get<std::string>(), item.key());
    }
  }
}

std::optional<std::string> SecretWatch::secret_in(std::string_view text) {
  learn();
  for (const auto& [value, name] : secrets_) {
    if (text.find(value) != std::string_view::npos) return name;
  }
  return std::nullopt;
}

void SecretWatch::heard(std::string_view where, std::string_view text) {
  const auto name = secret_in(text);
  if (!name) return;
  std::string found = fmt::format("I8: {} is in {}", *name, where);
  if (told_.insert(found).second && !finding_) finding_ = std::move(found);
}

void SecretWatch::written(const std::string& path, std::string_view text, unsigned mode) {
  if ((mode & 077) != 0) heard(fmt::format("{}, which has mode {:o}", path, mode), text);
}

std::optional<std::string> SecretWatch::finding() { return std::exchange(finding_, std::nullopt); }

}  // namespace mcv::sim
