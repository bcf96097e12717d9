// SPDX-License-Identifier: Apache-2.0
// QMP on the wire: one JSON object a line. Pure; recorded messages in tests/data/qmp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/core/json.h"
#include "hv/hypervisor.h"

namespace mcv::hv::qemu {

struct QmpGreeting {
  int major = 0;
  int minor = 0;
};
struct QmpReply {
  std::uint64_t id = 0;
  Json value;
};
struct QmpFailure {
  std::uint64_t id = 0;  ///< 0 when QEMU could not read the request
  std::string text;      ///< "GenericError: …"
};
struct QmpEvent {
  std::string name;  ///< SHUTDOWN, RESET, GUEST_PANICKED, …
  Json data;
};
using QmpMessage = std::variant<QmpGreeting, QmpReply, QmpFailure, QmpEvent>;

Result<QmpMessage> parse_qmp(std::string_view line);
std::string qmp_command(std::uint64_t id, const std::string& name, const Json& arguments);
/// The answer to query-status. `unknown` for a status this build does not know.
VmmPhase phase_of_status(std::string_view status);

/// Cuts a byte stream into lines.
class LineBuffer {
 public:
  /// The complete lines, without their ends and empty ones.
  std::vector<std::string> feed(std::string_view bytes);
  std::size_t pending() const { return rest_.size(); }

 private:
  std::string rest_;
};

}  // namespace mcv::hv::qemu
