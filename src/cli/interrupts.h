// SPDX-License-Identifier: Apache-2.0
// Waiting that Ctrl-C ends at a known place. While a guard lives, SIGINT, SIGTERM and SIGHUP are delivered only inside
// `wait`: whoever holds a raw terminal or a running operation always gets to put it right or to say what goes on.
#pragma once

#include <chrono>
#include <csignal>
#include <span>

struct pollfd;

namespace mcv::cli {

class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// The signal that arrived in a wait of any living guard, 0 for none.
  static int signal_number();

 private:
  sigset_t previous_mask_{};
  struct sigaction previous_[3]{};
};

enum class Waited { ready, timed_out, interrupted };

/// poll(2) with a guard's signals let in. Without a living guard it is plain poll and Ctrl-C ends the process.
/// A negative timeout waits for ever.
Waited wait(std::span<pollfd> descriptors, std::chrono::milliseconds timeout);

}  // namespace mcv::cli
