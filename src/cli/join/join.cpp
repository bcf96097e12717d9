// SPDX-License-Identifier: Apache-2.0
#include "cli/join/join.h"

#include <fmt/format.h>
#include <utility>

#include "cli/join/prompt.h"
#include "cli/join/remote_connect_string.h"

namespace mcv::cli {
namespace {

Error mismatch(const SshTarget& target, const HostKey& key, const std::string& expected) {
  const std::string message = expected.empty() ? fmt::format("the host key of {} ({} {}) is not the one known here: either the machine was installed anew, or something else answers in its place", target.address, key.type, key.fingerprint)
                                               : fmt::format("the host key of {} is {} {}, not {}", target.address, key.type, key.fingerprint, expected);
  return Error(ErrorCode::host_key_mismatch, message)
      .with_safe("no password was sent; " + std::string(nothing_changed))
      .with_next(fmt::format("at the machine itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; if it was installed anew: ssh-keygen -R {}, then again with --fingerprint", target.address));
}

Status check_host_key(const SshSession& session, const JoinRequest& request, std::ostream& err) {
  MCV_TRY(const HostKey key, session.host_key());
  switch (judge_host_key(key, request.fingerprint)) {
    case HostKeyVerdict::accept: return success();
    case HostKeyVerdict::mismatch: return mismatch(request.target, key, request.fingerprint);
    case HostKeyVerdict::ask: break;
  }
  const Error unknown = Error(ErrorCode::host_key_unknown, fmt::format("the host key of {} is not known here: {} {}", request.target.address, key.type, key.fingerprint))
                            .with_safe("no password was sent; " + std::string(nothing_changed))
                            .with_next(fmt::format("compare with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' at the machine itself, then again with --fingerprint {}", key.fingerprint));
  if (!can_prompt()) return unknown;
  err << fmt::format("The host key of {} is not known here:\n  {} {}\nAt the machine itself, 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' must show the same.\n", request.target.address, key.type, key.fingerprint) << std::flush;
  MCV_TRY(const bool accepted, prompt_yes("Is it the same (yes/no)? "));
  if (!accepted) return unknown;
  return success();
}

Error root_refused(const SshTarget& target, bool offered) {
  const std::string why = offered ? fmt::format("{} refused root's password: it is wrong, or its sshd takes no password from root (Debian's default)", target.address)
                                  : fmt::format("the sshd of {} takes no password from root", target.address);
  return Error(ErrorCode::root_login_refused, why)
      .with_safe("the sshd configuration need not be touched; " + std::string(nothing_changed))
      .with_next("one of: an ssh key of root in the agent or with --identity FILE; --user U for a user with sudo there; or no ssh at all: 'hvctl cluster get-connect-string' there and 'hvctl cluster add-node --connect-string -' here");
}

Error no_login(const SshTarget& target, std::string why) {
  return Error(ErrorCode::login_refused, std::move(why))
      .with_safe(nothing_changed)
      .with_next(fmt::format("--identity FILE with a key that {} accepts for {}, or --password-stdin; or no ssh at all: 'hvctl cluster get-connect-string' there and 'hvctl cluster add-node --connect-string -' here", target.address, target.user));
}

Error denied(const SshTarget& target) {
  if (target.user == "root") return root_refused(target, true);
  return Error(ErrorCode::wrong_password, fmt::format("{} refused the password of {}", target.address, target.user)).with_safe(nothing_changed).with_next("the same command again with the right password, or --identity FILE");
}

/// Asks at most `tries` times; the accepted password is kept for sudo.
Status login_by_password(SshSession& session, JoinRequest& request) {
  const SshTarget& target = request.target;
  if (!session.password_offered()) {
    if (target.user == "root") return root_refused(target, false);
    return no_login(target, fmt::format("{} accepted no key for {} and takes no passwords", target.address, target.user));
  }
  const bool given = request.password.has_value();
  if (!given && !can_prompt()) return no_login(target, fmt::format("{} accepted no key for {}, and there is no terminal to ask for a password at", target.address, target.user));
  // For root a refusal mostly means the sshd's configuration: asking again would only annoy.
  const int tries = given || target.user == "root" ? 1 : 3;
  for (int i = 0; i < tries; ++i) {
    if (!given) {
      MCV_TRY(request.password, prompt_secret(fmt::format("Password of {}@{}: ", target.user, target.address)));
    }
    MCV_TRY(const Login login, session.login_with_password(*request.password));
    if (login == Login::accepted) return success();
  }
  return denied(target);
}

Status log_in(SshSession& session, JoinRequest& request) {
  MCV_TRY(const Login by_key, session.login_with_key(prompt_secret));
  if (by_key == Login::accepted) return success();
  return login_by_password(session, request);
}

Result<std::string> run_there(SshSession& session, JoinRequest& request) {
  const SshTarget& target = request.target;
  Privilege privilege = target.user == "root" ? Privilege::root : request.password ? Privilege::sudo_password : Privilege::sudo;
  if (privilege != Privilege::sudo_password) {
    MCV_TRY(const RemoteResult result, session.run(remote_command(privilege, target.address), {}));
    if (!sudo_asks(privilege, result) || !can_prompt()) return connect_string_of(privilege, target.address, result);
    MCV_TRY(request.password, prompt_secret(fmt::format("Password of {} for sudo on {}: ", target.user, target.address)));
    privilege = Privilege::sudo_password;
  }
  Secret line;
  for (const char c : request.password->view()) line.append(c);
  line.append('\n');
  MCV_TRY(const RemoteResult result, session.run(remote_command(privilege, target.address), line.view()));
  return connect_string_of(privilege, target.address, result);
}

}  // namespace

HostKeyVerdict judge_host_key(const HostKey& key, const std::string& expected_fingerprint) {
  // A fingerprint given by hand is the newest word: it also outranks what known_hosts remembers of a machine since replaced.
  if (!expected_fingerprint.empty()) return key.fingerprint == expected_fingerprint ? HostKeyVerdict::accept : HostKeyVerdict::mismatch;
  switch (key.trust) {
    case HostKeyTrust::known: return HostKeyVerdict::accept;
    case HostKeyTrust::unknown: return HostKeyVerdict::ask;
    case HostKeyTrust::changed: return HostKeyVerdict::mismatch;
  }
  return HostKeyVerdict::ask;
}

Result<std::string> fetch_connect_string(JoinRequest request, std::ostream& err) {
  MCV_TRY(SshSession session, SshSession::connect(request.target));
  MCV_CHECK(check_host_key(session, request, err));
  MCV_CHECK(log_in(session, request));
  return run_there(session, request);
}

}  // namespace mcv::cli
