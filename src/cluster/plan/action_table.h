// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster/plan/action.h"

namespace mcv {

/// Name -> Action. Names are part of the journal's format and of the wire: never rename one that was released.
class ActionTable {
 public:
  /// Two actions of one name are a defect and end the process at start-up.
  void add(std::string name, std::unique_ptr<Action> action);
  /// `version_mismatch` for a name this build does not know.
  Result<Action*> find(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::unique_ptr<Action>, std::less<>> actions_;
};

}  // namespace mcv
