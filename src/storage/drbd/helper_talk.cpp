// SPDX-License-Identifier: Apache-2.0
#include "storage/drbd/helper_talk.h"

#include "cluster/core/json_value.h"
#include "storage/drbd/helper/fence_protocol.h"
#include "storage/drbd/resource_file.h"

namespace mcv::drbd {

std::string helper_request_socket() { return fence::request_socket; }
std::string helper_event_socket() { return fence::event_socket; }

std::optional<VolumeName> fence_question(std::string_view line) {
  const auto json = parse_json(line);
  if (!json.ok() || value_in(*json, "event", "") != "fence-peer") return std::nullopt;
  const auto volume = volume_of_resource(value_in(*json, "resource", ""));
  if (!volume.ok()) return std::nullopt;
  return *volume;
}

std::string fence_reply(int exit_code) {
  const bool ours = exit_code == static_cast<int>(fence::Answer::peer_outdated) || exit_code == static_cast<int>(fence::Answer::peer_unreachable) ||
                    exit_code == static_cast<int>(fence::Answer::peer_powered_off);
  return Json{{"exit", ours ? exit_code : static_cast<int>(fence::Answer::no_answer)}}.dump();
}

}  // namespace mcv::drbd
