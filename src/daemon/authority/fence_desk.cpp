// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/fence_desk.h"

#include <spdlog/spdlog.h>

#include "daemon/node/node.h"
#include "storage/drbd/helper_talk.h"

namespace mcv {

std::string answer_drbd_helper(const Node& node, const std::string& line) {
  const auto volume = drbd::fence_question(line);
  const authority::FenceAnswer answer = volume ? node.authority.answer_fence_peer(*volume) : authority::FenceAnswer::hold;
  const int code = static_cast<int>(answer);
  if (volume) spdlog::info("the kernel asks whether the other copy of {} may be taken for outdated: exit {}", volume->str(), code);
  return drbd::fence_reply(code);
}

}  // namespace mcv
