// SPDX-License-Identifier: Apache-2.0
// The daemon's side of mcv-drbd-helper: its one line in, the answer's one line out.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

namespace mcv {

class Node;

/// {"event":"fence-peer","resource":"mcv-vm1-0",...} -> {"exit":N}. Anything else, and any doubt, is {"exit":1}.
boost::asio::awaitable<std::string> answer_drbd_helper(Node& node, std::string line);

}  // namespace mcv
