// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mcv::paths {

inline constexpr const char* state_directory = "/var/lib/mcv";
inline constexpr const char* secrets_file = "/var/lib/mcv/secrets.json";
inline constexpr const char* join_file = "/var/lib/mcv/join-prepared.json";
inline constexpr const char* removed_file = "/var/lib/mcv/removed.json";
inline constexpr const char* bridges_file = "/var/lib/mcv/bridges.json";
inline constexpr const char* run_directory = "/run/mcv";
inline constexpr const char* api_socket = "/run/mcv/mcvd.sock";
inline constexpr const char* console_log_directory = "/var/log/mcv/console";

}  // namespace mcv::paths
