// SPDX-License-Identifier: Apache-2.0
// One ssh connection to the node to be added, for one command. Every wait has a bound; names are never looked up, the
// address is a literal. The only file of the command line that knows libssh is ssh_session.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cli/join/secret.h"
#include "cluster/core/result.h"

namespace mcv::cli {

/// What every failure before the join itself can promise.
inline constexpr const char* nothing_changed = "nothing was changed on either node";

struct SshTarget {
  std::string address;        ///< IPv4 or IPv6 literal
  std::uint16_t port = 22;
  std::string user = "root";
  std::string identity;       ///< path of a private key; empty = agent and the user's usual keys
  std::string known_hosts;    ///< path; empty = the user's and the system's
};

struct SshTimeouts {
  std::chrono::seconds connect{10};
  std::chrono::seconds authentication{30};  ///< for each answer of the server
  std::chrono::seconds command{60};
};

enum class HostKeyTrust { known, unknown, changed };

struct HostKey {
  std::string type;         ///< "ssh-ed25519"
  std::string fingerprint;  ///< "SHA256:..." as ssh-keygen -l shows it
  HostKeyTrust trust = HostKeyTrust::unknown;
};

struct RemoteResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// How a login attempt went.
enum class Login { accepted, denied, not_offered };

class SshSession {
 public:
  /// Errors: host_unreachable. No login yet: check the host key first.
  static Result<SshSession> connect(const SshTarget& target, const SshTimeouts& timeouts = {});
  ~SshSession();
  SshSession(SshSession&&) noexcept;
  SshSession& operator=(SshSession&&) noexcept;

  Result<HostKey> host_key() const;

  /// The key file, or the agent and the user's usual keys. `passphrase` is asked for a key file that needs one.
  Result<Login> login_with_key(const std::function<Result<Secret>(const std::string& question)>& passphrase);
  Result<Login> login_with_password(const Secret& password);
  bool password_offered() const;

  /// Runs one command line in the user's shell on the other side. Errors: timed_out, connection_lost.
  Result<RemoteResult> run(const std::string& command_line, std::string_view input);

 private:
  struct State;
  explicit SshSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mcv::cli
