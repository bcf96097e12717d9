// SPDX-License-Identifier: Apache-2.0
// What is asked of the node to be added, and what its answer means. Pure.
#pragma once

#include <string>

#include "cli/join/ssh_session.h"
#include "cluster/core/result.h"

namespace mcv::cli {

enum class Privilege {
  root,           ///< the login is root
  sudo,           ///< sudo without a question
  sudo_password,  ///< sudo reads the password from standard input
};

/// The command line for the login shell there. `address` is a checked literal.
std::string remote_command(Privilege privilege, const std::string& address);

/// sudo wants a password that it was not given.
bool sudo_asks(Privilege privilege, const RemoteResult& result);

/// The connect string out of the answer, or why there is none: mcv_not_installed, daemon_unreachable, sudo_refused, whatever the
/// other side's hvctl reported, or command_failed.
Result<std::string> connect_string_of(Privilege privilege, const std::string& address, const RemoteResult& result);

}  // namespace mcv::cli
