// SPDX-License-Identifier: Apache-2.0
#include "cli/join/remote_connect_string.h"

#include <fmt/format.h>
#include <optional>

#include "cli/render/text.h"
#include "cluster/core/problem.h"

namespace mcv::cli {
namespace {

/// The last line that is a JSON object: login scripts may print before it.
std::optional<Json> last_object(const std::string& text) {
  std::size_t end = text.size();
  while (end > 0) {
    const std::size_t newline = text.rfind('\n', end - 1);
    const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
    if (text[start] == '{') {
      Result<Json> json = parse_json(text.substr(start, end - start));
      if (json.ok() && json->is_object()) return std::move(*json);
    }
    if (newline == std::string::npos) break;
    end = newline;
  }
  return std::nullopt;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const std::size_t newline = text.rfind('\n');
  return printable(newline == std::string::npos ? text : text.substr(newline + 1));
}

bool says_not_found(const RemoteResult& result) { return result.exit_code == 127 || result.err.find("hvctl: command not found") != std::string::npos; }

Error relayed(const std::string& address, const Json& problem) {
  Error error = error_from_problem(problem);
  if (error.code() == ErrorCode::daemon_unreachable) {
    return Error(ErrorCode::daemon_unreachable, fmt::format("mcvd is not running on {}", address)).with_safe(nothing_changed).with_next(fmt::format("on {}: systemctl enable --now mcvd; hvctl node init --all", address));
  }
  std::string next = error.next().empty() ? "" : fmt::format("on {}: {}", address, error.next());
  return Error(error.code(), fmt::format("{} says: {}", address, error.message())).with_safe(nothing_changed).with_next(std::move(next));
}

}  // namespace

std::string remote_command(Privilege privilege, const std::string& address) {
  const std::string command = fmt::format("hvctl cluster get-connect-string --ip-address {} -o json", address);
  switch (privilege) {
    case Privilege::root: return command;
    case Privilege::sudo: return "sudo -n " + command;
    case Privilege::sudo_password: return "sudo -S -p '' " + command;
  }
  return command;
}

bool sudo_asks(Privilege privilege, const RemoteResult& result) {
  return privilege == Privilege::sudo && result.exit_code == 1 && !says_not_found(result) && !last_object(result.err) && !last_object(result.out);
}

Result<std::string> connect_string_of(Privilege privilege, const std::string& address, const RemoteResult& result) {
  if (result.exit_code == 0) {
    if (const auto answer = last_object(result.out)) {
      std::string text = text_at(*answer, "connect_string");
      if (!text.empty()) return text;
    }
    return Error(ErrorCode::bad_output, fmt::format("hvctl on {} printed no connect string", address)).with_safe(nothing_changed).with_next(fmt::format("on {}: hvctl --version; both nodes need the same release", address));
  }
  if (says_not_found(result)) {
    return Error(ErrorCode::mcv_not_installed, fmt::format("mcv is not installed on {}", address)).with_safe(nothing_changed).with_next(fmt::format("on {}: apt install ./mcv_*.deb && hvctl node init --all; then the same command again", address));
  }
  if (const auto problem = last_object(result.err); problem && problem->contains("code")) return relayed(address, *problem);
  if (privilege != Privilege::root && result.exit_code == 1) {
    return Error(ErrorCode::sudo_refused, fmt::format("sudo on {} refused: {}", address, last_line(result.err)))
        .with_safe(nothing_changed)
        .with_next("check the password and that the user may run hvctl by sudo there; or use the connect string: hvctl cluster get-connect-string there, hvctl cluster add-node --connect-string - here");
  }
  return Error(ErrorCode::command_failed, fmt::format("hvctl on {} ended with code {}: {}", address, result.exit_code, last_line(result.err)))
      .with_safe(nothing_changed)
      .with_next(fmt::format("on {}: hvctl cluster get-connect-string", address));
}

}  // namespace mcv::cli
