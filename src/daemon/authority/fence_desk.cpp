// SPDX-License-Identifier: Apache-2.0
#include "daemon/authority/fence_desk.h"

#include <spdlog/spdlog.h>

#include "daemon/node/node.h"
#include "storage/drbd/helper_talk.h"

namespace mcv {

boost::asio::awaitable<std::string> answer_drbd_helper(Node& node, std::string line) {
  const auto volume = drbd::fence_question(line);
  authority::FenceAnswer answer = authority::FenceAnswer::hold;
  if (volume) answer = co_await node.consents.answer_kernel(*volume);
  const int code = static_cast<int>(answer);
  if (volume) spdlog::info("the kernel asks whether the other copy of {} may be taken for outdated: exit {}", volume->str(), code);
  co_return drbd::fence_reply(code);
}

}  // namespace mcv
