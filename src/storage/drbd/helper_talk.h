// SPDX-License-Identifier: Apache-2.0
// mcvd's side of what it and mcv-drbd-helper say to each other (helper/fence_protocol.h). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/core/names.h"

namespace mcv::drbd {

/// Where the kernel's program asks, and where it tells.
std::string helper_request_socket();
std::string helper_event_socket();

/// {"event":"fence-peer","resource":"mcv-vm1-0",...}: which volume is asked about; nullopt for anything else.
std::optional<VolumeName> fence_question(std::string_view line);
/// {"exit":N}; a code this daemon has no right to give becomes "no answer".
std::string fence_reply(int exit_code);

}  // namespace mcv::drbd
