// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mcv {

/// Where the log goes is found out: the journal when standard error is the journal's, otherwise text on standard error
/// (coloured on a terminal without NO_COLOR). `verbosity` 0 info; 1 debug, with every command as a line to paste; 2 and
/// more trace. Events (log/event_log.h) keep their fields in the journal. Call once, before anything logs.
void start_logging(int verbosity);

}  // namespace mcv
