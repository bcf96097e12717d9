// SPDX-License-Identifier: Apache-2.0
// Gets a node's connect string over ssh: host key, login, one command. The password lives in this process only.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "cli/join/secret.h"
#include "cli/join/ssh_session.h"
#include "cluster/core/result.h"

namespace mcv::cli {

struct JoinRequest {
  SshTarget target;
  std::string fingerprint;          ///< "SHA256:...", empty when not given
  std::optional<Secret> password;   ///< from --password-stdin
};

/// What the user sees on the way goes to `err`. Errors: host_unreachable, host_key_unknown, host_key_mismatch, wrong_password,
/// root_login_refused, login_refused, sudo_refused, and those of connect_string_of. Every one leaves both nodes as they were.
Result<std::string> fetch_connect_string(JoinRequest request, std::ostream& err);

/// May the login go on with this key? Pure: the question is left to the caller.
enum class HostKeyVerdict { accept, ask, mismatch };
HostKeyVerdict judge_host_key(const HostKey& key, const std::string& expected_fingerprint);

}  // namespace mcv::cli
