// SPDX-License-Identifier: Apache-2.0
// What a process that crashes says last. A crash of a schedule names the schedule, which is all one needs to see it again.
#pragma once

#include <string_view>

namespace mcv::sim {

// From now on, until the next call: a crash writes this line to stderr before anything else becomes of it (the sanitizers' report
// comes first in their builds). Cut at 500 bytes. Main thread.
void set_last_words(std::string_view line);

}  // namespace mcv::sim
