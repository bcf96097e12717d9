// SPDX-License-Identifier: Apache-2.0
// This node's own files beside the store, in the directory that mcvd.toml names (daemon.state_directory).
#pragma once

#include <string>

namespace mcv::paths {

inline std::string secrets_file(const std::string& state_directory) { return state_directory + "/secrets.json"; }
inline std::string join_file(const std::string& state_directory) { return state_directory + "/join-prepared.json"; }
inline std::string bridges_file(const std::string& state_directory) { return state_directory + "/bridges.json"; }
inline std::string removed_file(const std::string& state_directory) { return state_directory + "/removed.json"; }

}  // namespace mcv::paths
