// SPDX-License-Identifier: Apache-2.0
// The calendar of verifies is a setting of the cluster (verify_policy.h); what fires is systemd's timer on each node. This makes the
// one follow the other, at the daemon's start and after each change.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "cluster/core/result.h"

namespace mcv {

class Node;

/// Under /run: the daemon writes it anew after a boot, and an administrator's drop-in in /etc wins by its name ("override.conf").
inline constexpr const char* verify_timer_drop_in = "/run/systemd/system/mcv-verify.timer.d/50-cluster.conf";

/// What the drop-in says. Pure.
std::string verify_timer_text(const std::string& calendar);
/// Would systemd take it? `bad_request` with systemd's words if not.
boost::asio::awaitable<Status> check_calendar(Node& node, std::string calendar);
/// Once, when the node has started. Works for as long as the node lives. Without the setting nothing is touched: an administrator's
/// own use of the timer stays as it is.
void follow_verify_calendar(Node& node);

}  // namespace mcv
