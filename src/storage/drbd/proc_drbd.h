// SPDX-License-Identifier: Apache-2.0
// /proc/drbd of DRBD 8.4: the version, and the only place with the progress of a verify. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/result.h"

namespace mcv::drbd {

struct Progress {
  bool verify = false;            ///< otherwise a resync
  double percent = 0;
  std::uint64_t left_kib = 0;
  std::uint64_t total_kib = 0;
  std::uint64_t kib_per_second = 0;
  bool stalled = false;
};

struct ProcDevice {
  std::string connection_state;   ///< 8.4's own name: "Connected", "WFConnection", "VerifyS", …
  std::uint64_t out_of_sync_kib = 0;
  std::optional<Progress> progress;
};

struct ProcDrbd {
  std::string version;            ///< "8.4.11"
  std::map<std::uint32_t, ProcDevice> devices;  ///< by minor; unconfigured ones are left out
};

Result<ProcDrbd> parse_proc_drbd(std::string_view text);

/// `drbd_version` unless it is an 8.4.
Status check_version(std::string_view version);

}  // namespace mcv::drbd
