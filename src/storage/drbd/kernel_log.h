// SPDX-License-Identifier: Apache-2.0
// DRBD's lines of the kernel log, read from the journal as JSON: the only record of which ranges differed, and the one
// that no poll can miss. Pure parts and the commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/core/result.h"
#include "cluster/host/processes.h"
#include "cluster/model/records.h"

namespace mcv::drbd {

struct KernelLine {
  std::string cursor;   ///< the journal's place of this line
  std::string message;
};

/// Output of `journalctl -k -o json`: one object a line. Lines that are not the kernel's are left out.
Result<std::vector<KernelLine>> parse_kernel_log(std::string_view text);

/// What the log says about one pass of a verify over a device.
struct VerifyPass {
  std::optional<std::uint64_t> start_sector;  ///< nullopt: no pass began
  bool done = false;                          ///< "Online verify done"
  bool ended = false;                         ///< the state left VerifyS or VerifyT
  bool connection_changed = false;            ///< any other change of the connection between begin and end
  std::optional<std::uint64_t> reached;       ///< "reached sector": it did not go to the end of the device
  std::uint64_t marked_blocks = 0;            ///< 4 KiB blocks marked in all, older marks included
  std::vector<SectorRange> ranges;            ///< differences of this pass, ascending, joined
  friend bool operator==(const VerifyPass&, const VerifyPass&) = default;
};

/// Reads the last pass in `lines`. Understands both sides, VerifyS and VerifyT.
VerifyPass read_pass(const std::vector<KernelLine>& lines, std::uint32_t minor, const std::string& resource);

namespace commands {
/// The journal's last kernel line: its cursor is where the next read begins.
host::Command last_kernel_line();
/// Returns when the journal has everything the kernel logged until now.
host::Command sync_journal();
host::Command kernel_log_after(const std::string& cursor);
}  // namespace commands

}  // namespace mcv::drbd
