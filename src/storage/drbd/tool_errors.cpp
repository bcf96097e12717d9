// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/tool_errors.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

#include "storage/drbd/commands.h"
#include "storage/drbd/resource_file.h"

namespace mcv::drbd {
namespace {

/// Of the kernel's drbd_state.h (8.4).
enum StateError { two_primaries = -1, no_up_to_date_disk = -2, primary_not_outdated_peer = -7, device_in_use = -12 };

/// drbdadm tells the whole command line of the drbdsetup that failed, with the secret of the connection in it.
std::string without_secret(std::string text) {
  constexpr std::string_view option = "--shared-secret=";
  std::size_t at = text.find(option);
  while (at != std::string::npos) {
    const std::size_t begin = at + option.size();
    const std::size_t end = std::min(text.find_first_of(" '\"\n", begin), text.size());
    text.replace(begin, end - begin, "...");
    at = text.find(option, begin);
  }
  return text;
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ';');
  return text.empty() ? "no output" : text;
}

}  // namespace

Error error_of(const VolumeName& volume, const host::Argv& argv, const host::ProcessResult& result) {
  const std::string said = result.err.empty() ? result.out : result.err;
  const std::string status = fmt::format("drbdsetup status {}", resource_name(volume));
  switch (state_error_of(said)) {
    case two_primaries:
      return Error(ErrorCode::peer_is_primary, fmt::format("volume {} is Primary on the other node", volume.str()))
          .with_safe("nothing was changed")
          .with_next(status);
    case no_up_to_date_disk:
      return Error(ErrorCode::not_up_to_date, fmt::format("volume {} has no up-to-date data on this node, and none in reach", volume.str()))
          .with_safe("nothing was changed")
          .with_next(status);
    case primary_not_outdated_peer:
      return Error(ErrorCode::no_authority,
                   fmt::format("volume {}: the other node does not answer and nothing proves that it is off, so its copy may be newer or in use", volume.str()))
          .with_safe("this copy was not opened for writing")
          .with_next(status);
    case device_in_use:
      return Error(ErrorCode::device_busy, fmt::format("volume {} is held open by a process on this node", volume.str()))
          .with_safe("it stays Primary here")
          .with_next(status);
    default: break;
  }
  return Error(ErrorCode::command_failed, fmt::format("{}: exit {}: {}", host::to_shell_line(argv), result.exit_code, one_line(without_secret(said))));
}

}  // namespace mcv::drbd
