// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cluster/core/result.h"

namespace mcv::cli {

class Session;

/// Bytes of earlier output shown first.
inline constexpr std::uint64_t default_replay = 64 * 1024;

/// The terminal becomes the guest's serial console until Ctrl-] or the end of the stream. The terminal's settings are put
/// back on every way out, signals included.
Result<int> run_console(Session& session, const std::string& vm, std::uint64_t replay);

}  // namespace mcv::cli
