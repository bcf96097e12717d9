// SPDX-License-Identifier: Apache-2.0
// What the program the kernel calls (usermode_helper) and mcvd say to each other. Shared by both, so nothing of mcv's
// own headers is used here.
#pragma once

#include <chrono>

namespace mcv::drbd::fence {

/// Where the kernel finds the program; set as /sys/module/drbd/parameters/usermode_helper (at most 79 characters).
inline constexpr const char* program = "/usr/lib/mcv/mcv-drbd-helper";

/// Stream: one line {"event":"fence-peer","resource":"mcv-vm1-0","peer_address":"10.77.1.12"} there,
/// one line {"exit":N} back.
inline constexpr const char* request_socket = "/run/mcv/drbd-helper.sock";
/// Datagrams of the same form for every other event; `resource` may be "minor-7".
inline constexpr const char* event_socket = "/run/mcv/drbd-events.sock";

/// The kernel waits without a bound, so the program has one. Past it the answer is "no answer" (1): I/O stays held.
inline constexpr std::chrono::milliseconds answer_bound{30'000};
/// A restarting mcvd is waited for this long, within the bound.
inline constexpr std::chrono::milliseconds connect_bound{5'000};

/// Exit codes the kernel knows (8.4). The program passes on what mcvd decided; by itself it only ever says `no_answer`.
enum class Answer : int {
  no_answer = 1,          ///< the kernel holds I/O, or refuses to promote
  peer_inconsistent = 3,
  peer_outdated = 4,
  peer_unreachable = 5,   ///< taken as outdated if this disk is UpToDate
  peer_is_primary = 6,    ///< this leg becomes Outdated
  peer_powered_off = 7,   ///< the peer counts as outdated whatever this disk is: never without freshness
};

}  // namespace mcv::drbd::fence
