// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "engine/scheduler.h"

namespace spdlog {
class logger;
}

namespace mcv::sim {

/// What the daemons log goes into the trace, at its virtual time and with the name of the node whose daemon it was. As long
/// as this lives; one at a time.
class SimLog {
 public:
  explicit SimLog(Scheduler& scheduler);
  ~SimLog();
  SimLog(const SimLog&) = delete;
  SimLog& operator=(const SimLog&) = delete;

  void name(Owner life, std::string node) { nodes_[life] = std::move(node); }
  /// Hears every line as well.
  std::function<void(std::string_view line)> on_line;
  /// Whose job runs now.
  std::string speaker() const;

 private:
  Scheduler& scheduler_;
  std::map<Owner, std::string> nodes_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace mcv::sim
