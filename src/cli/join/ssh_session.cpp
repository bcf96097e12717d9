// SPDX-License-Identifier: Apache-2.0
#include "cli/join/ssh_session.h"

#include <array>
#include <fmt/format.h>
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <utility>

namespace mcv::cli {
namespace {

constexpr std::size_t output_limit = 1U << 20;

struct SessionDeleter {
  void operator()(ssh_session session) const {
    ssh_disconnect(session);
    ssh_free(session);
  }
};
struct ChannelDeleter {
  void operator()(ssh_channel channel) const { ssh_channel_free(channel); }
};
struct KeyDeleter {
  void operator()(ssh_key key) const { ssh_key_free(key); }
};
using SessionHandle = std::unique_ptr<ssh_session_struct, SessionDeleter>;
using ChannelHandle = std::unique_ptr<ssh_channel_struct, ChannelDeleter>;
using KeyHandle = std::unique_ptr<ssh_key_struct, KeyDeleter>;

void set_timeout(ssh_session session, std::chrono::seconds timeout) {
  const long seconds = timeout.count();
  ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &seconds);
}

std::string words_of(ssh_session session) {
  const char* text = ssh_get_error(session);
  return text == nullptr || *text == '\0' ? "no reason given" : text;
}

/// What libssh asks for a locked key file.
struct PassphraseQuestion {
  const std::function<Result<Secret>(const std::string&)>* ask;
  const std::string* path;
};

int answer_passphrase(const char*, char* buffer, std::size_t size, int, int, void* context) {
  const auto& question = *static_cast<PassphraseQuestion*>(context);
  const Result<Secret> answer = (*question.ask)(fmt::format("Passphrase of {}: ", *question.path));
  if (!answer.ok() || answer->view().size() >= size) return -1;
  answer->view().copy(buffer, size);
  buffer[answer->view().size()] = '\0';
  return 0;
}

}  // namespace

struct SshSession::State {
  SessionHandle session;
  SshTarget target;
  SshTimeouts timeouts;
  bool asked_methods = false;
  bool accepted = false;

  std::string place() const { return fmt::format("{}@{}", target.user, target.address); }

  Error lost(std::string_view when) const {
    const std::string words = words_of(session.get());
    Error error(ErrorCode::connection_lost, fmt::format("{} ended the ssh connection {} ({})", target.address, when, words));
    if (words.find("Too many authentication failures") != std::string::npos) {
      return std::move(error).with_safe(nothing_changed).with_next("name one key: --identity FILE");
    }
    return std::move(error).with_safe(nothing_changed).with_next(fmt::format("ssh -p {} {}; then the same command again", target.port, place()));
  }

  /// RFC 4252: the list of methods comes as the refusal of "none".
  Status ask_methods() {
    if (asked_methods) return success();
    asked_methods = true;
    set_timeout(session.get(), timeouts.authentication);
    const int answer = ssh_userauth_none(session.get(), nullptr);
    if (answer == SSH_AUTH_ERROR) return lost("before the login");
    accepted = answer == SSH_AUTH_SUCCESS;
    return success();
  }

  bool offers(int method) const { return (ssh_userauth_list(session.get(), nullptr) & method) != 0; }

  Result<Login> result_of(int answer) {
    if (answer == SSH_AUTH_SUCCESS) accepted = true;
    if (answer == SSH_AUTH_SUCCESS) return Login::accepted;
    if (answer == SSH_AUTH_ERROR) return lost("during the login");
    return Login::denied;
  }

  Result<Login> login_with_file(const std::function<Result<Secret>(const std::string&)>& passphrase) {
    PassphraseQuestion question{&passphrase, &target.identity};
    ssh_key raw = nullptr;
    if (ssh_pki_import_privkey_file(target.identity.c_str(), nullptr, answer_passphrase, &question, &raw) != SSH_OK) {
      return Error(ErrorCode::bad_request, fmt::format("{} is not a private key that can be read", target.identity)).with_safe(nothing_changed).with_next("--identity takes the private key's file; check the passphrase");
    }
    const KeyHandle key(raw);
    return result_of(ssh_userauth_publickey(session.get(), nullptr, key.get()));
  }

  int answer_questions(const Secret& password) {
    int answer = ssh_userauth_kbdint(session.get(), nullptr, nullptr);
    // A server may ask in several rounds; more than a few is no password question.
    for (int round = 0; answer == SSH_AUTH_INFO && round < 4; ++round) {
      const int questions = ssh_userauth_kbdint_getnprompts(session.get());
      for (int i = 0; i < questions; ++i) ssh_userauth_kbdint_setanswer(session.get(), static_cast<unsigned>(i), password.c_str());
      answer = ssh_userauth_kbdint(session.get(), nullptr, nullptr);
    }
    return answer == SSH_AUTH_INFO ? SSH_AUTH_DENIED : answer;
  }
};

SshSession::SshSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
SshSession::~SshSession() = default;
SshSession::SshSession(SshSession&&) noexcept = default;
SshSession& SshSession::operator=(SshSession&&) noexcept = default;

Result<SshSession> SshSession::connect(const SshTarget& target, const SshTimeouts& timeouts) {
  auto state = std::make_unique<State>();
  state->session.reset(ssh_new());
  state->target = target;
  state->timeouts = timeouts;
  ssh_session session = state->session.get();
  if (session == nullptr) return Error(ErrorCode::internal, "no ssh session could be made");
  // The user's ssh configuration may name proxies, other hosts, other ports: here the address given is the address meant.
  const bool process_config = false;
  const unsigned port = target.port;
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &process_config);
  ssh_options_set(session, SSH_OPTIONS_HOST, target.address.c_str());
  ssh_options_set(session, SSH_OPTIONS_PORT, &port);
  ssh_options_set(session, SSH_OPTIONS_USER, target.user.c_str());
  if (!target.known_hosts.empty()) {
    ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, target.known_hosts.c_str());
    ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, target.known_hosts.c_str());
  }
  set_timeout(session, timeouts.connect);
  if (ssh_connect(session) != SSH_OK) {
    return Error(ErrorCode::host_unreachable, fmt::format("no ssh connection to {} port {}: {}", target.address, target.port, words_of(session)))
        .with_safe(nothing_changed)
        .with_next(fmt::format("ping {}; on that node: systemctl status ssh. Without ssh: hvctl cluster get-connect-string there, hvctl cluster add-node --connect-string - here", target.address));
  }
  return SshSession(std::move(state));
}

Result<HostKey> SshSession::host_key() const {
  ssh_session session = state_->session.get();
  ssh_key raw = nullptr;
  if (ssh_get_server_publickey(session, &raw) != SSH_OK) return state_->lost("without a host key");
  const KeyHandle key(raw);
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key.get(), SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0) return state_->lost("without a host key");
  char* text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
  HostKey result;
  result.type = ssh_key_type_to_char(ssh_key_type(key.get()));
  result.fingerprint = text == nullptr ? "" : text;
  ssh_string_free_char(text);
  ssh_clean_pubkey_hash(&hash);
  switch (ssh_session_is_known_server(session)) {
    case SSH_KNOWN_HOSTS_OK: result.trust = HostKeyTrust::known; break;
    case SSH_KNOWN_HOSTS_CHANGED:
    case SSH_KNOWN_HOSTS_OTHER: result.trust = HostKeyTrust::changed; break;
    case SSH_KNOWN_HOSTS_NOT_FOUND:
    case SSH_KNOWN_HOSTS_UNKNOWN:
    case SSH_KNOWN_HOSTS_ERROR: result.trust = HostKeyTrust::unknown; break;
  }
  return result;
}

Result<Login> SshSession::login_with_key(const std::function<Result<Secret>(const std::string&)>& passphrase) {
  MCV_CHECK(state_->ask_methods());
  if (state_->accepted) return Login::accepted;
  if (!state_->offers(SSH_AUTH_METHOD_PUBLICKEY)) return Login::not_offered;
  if (!state_->target.identity.empty()) return state_->login_with_file(passphrase);
  // The agent first, then the usual files that need no passphrase.
  return state_->result_of(ssh_userauth_publickey_auto(state_->session.get(), nullptr, nullptr));
}

bool SshSession::password_offered() const { return state_->offers(SSH_AUTH_METHOD_PASSWORD) || state_->offers(SSH_AUTH_METHOD_INTERACTIVE); }

Result<Login> SshSession::login_with_password(const Secret& password) {
  MCV_CHECK(state_->ask_methods());
  if (state_->accepted) return Login::accepted;
  if (!password_offered()) return Login::not_offered;
  ssh_session session = state_->session.get();
  return state_->result_of(state_->offers(SSH_AUTH_METHOD_PASSWORD) ? ssh_userauth_password(session, nullptr, password.c_str()) : state_->answer_questions(password));
}

Result<RemoteResult> SshSession::run(const std::string& command_line, std::string_view input) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + state_->timeouts.command;
  const ChannelHandle channel(ssh_channel_new(state_->session.get()));
  if (channel == nullptr || ssh_channel_open_session(channel.get()) != SSH_OK) return state_->lost("when a command was to be run");
  if (ssh_channel_request_exec(channel.get(), command_line.c_str()) != SSH_OK) return state_->lost("when a command was to be run");
  if (!input.empty() && ssh_channel_write(channel.get(), input.data(), static_cast<std::uint32_t>(input.size())) < 0) return state_->lost("while a command ran");
  ssh_channel_send_eof(channel.get());
  RemoteResult result;
  std::array<char, 4096> buffer{};
  bool open = true;
  while (open) {
    if (Clock::now() > deadline) {
      return Error(ErrorCode::timed_out, fmt::format("the command on {} did not end within {} s", state_->target.address, state_->timeouts.command.count()))
          .with_safe(nothing_changed)
          .with_next(fmt::format("on that node: {}", "hvctl cluster get-connect-string"));
    }
    open = false;
    for (const bool is_error : {false, true}) {
      const int count = ssh_channel_read_timeout(channel.get(), buffer.data(), buffer.size(), is_error ? 1 : 0, 100);
      if (count == SSH_ERROR) return state_->lost("while a command ran");
      std::string& text = is_error ? result.err : result.out;
      if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
      if (text.size() > output_limit) return Error(ErrorCode::bad_output, fmt::format("the command on {} printed too much", state_->target.address)).with_safe(nothing_changed);
      open = open || count > 0;
    }
    open = open || ssh_channel_is_eof(channel.get()) == 0;
  }
  result.exit_code = ssh_channel_get_exit_status(channel.get());
  return result;
}

}  // namespace mcv::cli
