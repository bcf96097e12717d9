// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mcv {

/// Where the log goes is found out: the journal when standard error is the journal's, otherwise text on standard error
/// (coloured on a terminal without NO_COLOR). `verbosity` 0 info; 1 debug, with every command as a line to paste; 2 and
/// more trace. Call once, before anything logs.
void start_logging(int verbosity);

enum class LogLevel { debug, info, warning, error };

/// A fact with fields that a collector can search: in the journal each is a field of its own ("VM" becomes MCV_VM), as
/// text they follow the message. Names are upper-case letters and '_'. Never give it a secret.
void log_event(LogLevel level, std::string_view message, std::initializer_list<std::pair<std::string_view, std::string>> fields);

}  // namespace mcv
