// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_random.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace mcv::host {

std::uint64_t RealRandom::next() {
  std::uint64_t word = 0;
  ssize_t got = -1;
  do {
    got = ::getrandom(&word, sizeof word, 0);
  } while (got < 0 && errno == EINTR);
  // Up to 256 bytes come whole or not at all; a kernel without getrandom is not one we run on.
  if (got != static_cast<ssize_t>(sizeof word)) throw std::system_error(errno, std::generic_category(), "getrandom");
  return word;
}

}  // namespace mcv::host
