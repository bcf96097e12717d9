// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cluster/core/result.h"

namespace mcv {

/// /etc/mcv/mcvd.toml: what belongs to this machine alone. Everything the pair shares is in the shared configuration.
struct DaemonConfig {
  std::string state_directory = "/var/lib/mcv";
  std::string run_directory = "/run/mcv";
  std::string socket = "/run/mcv/mcvd.sock";
  std::uint32_t client_limit = 256;
  int verbosity = 0;  ///< 0 info, 1 debug (every command), 2 trace
  std::uint16_t peer_port = 8801;
  std::string cloud_hypervisor = "/usr/bin/cloud-hypervisor";
  std::string qemu = "/usr/bin/qemu-system-x86_64";
  std::string guest_user = "mcv-guest";
  std::string console_directory = "/var/log/mcv/console";

  std::string store_file() const { return state_directory + "/store.sqlite"; }
  std::string key_file() const { return state_directory + "/keys/node.pem"; }
};

/// Strict: an unknown key, a wrong type or a value out of range is an error that names file, line and key. `file` is only
/// for messages. An empty text is the default configuration.
Result<DaemonConfig> parse_daemon_config(const std::string& text, const std::string& file);
/// Reads the file; a missing file is an error.
Result<DaemonConfig> load_daemon_config(const std::string& file);

}  // namespace mcv
