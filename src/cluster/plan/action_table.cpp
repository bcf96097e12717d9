// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/action_table.h"

#include <fmt/format.h>
#include <stdexcept>

namespace mcv {

const Json& StepContext::result_of(std::size_t earlier) const {
  static const Json none;
  return earlier < results.size() ? results[earlier] : none;
}

std::string_view to_text(Landed landed) {
  switch (landed) {
    case Landed::yes: return "yes";
    case Landed::no: return "no";
    case Landed::not_yet: return "not-yet";
  }
  return "";
}

Result<Landed> landed_from_text(std::string_view text) {
  for (const Landed landed : {Landed::yes, Landed::no, Landed::not_yet}) {
    if (to_text(landed) == text) return landed;
  }
  return Error(ErrorCode::bad_output, fmt::format("'{}' does not say whether a step landed", text));
}

void ActionTable::add(std::string name, std::unique_ptr<Action> action) {
  const auto [position, added] = actions_.emplace(std::move(name), std::move(action));
  if (!added) throw std::logic_error("two actions are called " + position->first);
}

Result<Action*> ActionTable::find(const std::string& name) const {
  const auto found = actions_.find(name);
  if (found != actions_.end()) return found->second.get();
  return Error(ErrorCode::version_mismatch, fmt::format("this build of mcv has no action '{}'", name))
      .with_safe("the step was not begun")
      .with_next("install the same mcv package on both nodes");
}

std::vector<std::string> ActionTable::names() const {
  std::vector<std::string> list;
  for (const auto& [name, action] : actions_) list.push_back(name);
  return list;
}

}  // namespace mcv
