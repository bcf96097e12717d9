// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupts.h"

#include <array>
#include <cerrno>
#include <poll.h>

namespace mcv::cli {
namespace {

constexpr std::array<int, 3> handled{SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t arrived = 0;
int guards = 0;

void note(int number) { arrived = number; }

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++ == 0) arrived = 0;
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : handled) sigaddset(&blocked, number);
  sigprocmask(SIG_BLOCK, &blocked, &previous_mask_);
  struct sigaction action {};
  action.sa_handler = note;
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &action, &previous_[i]);
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &previous_[i], nullptr);
  sigprocmask(SIG_SETMASK, &previous_mask_, nullptr);
  --guards;
}

int InterruptGuard::signal_number() { return arrived; }

Waited wait(std::span<pollfd> descriptors, std::chrono::milliseconds timeout) {
  sigset_t open;
  sigprocmask(SIG_SETMASK, nullptr, &open);
  for (const int number : handled) sigdelset(&open, number);
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + timeout;
  while (true) {
    if (guards > 0 && arrived != 0) return Waited::interrupted;
    timespec left{};
    if (timeout.count() >= 0) {
      const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now());
      if (rest.count() > 0) left = {rest.count() / 1'000'000'000, rest.count() % 1'000'000'000};
    }
    const int ready = ppoll(descriptors.data(), descriptors.size(), timeout.count() < 0 ? nullptr : &left, guards > 0 ? &open : nullptr);
    if (ready > 0) return Waited::ready;
    if (ready == 0) return Waited::timed_out;
    if (errno != EINTR) return Waited::ready;  // the read that follows reports what is wrong
  }
}

}  // namespace mcv::cli
