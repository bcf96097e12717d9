// SPDX-License-Identifier: Apache-2.0
// From the words typed to one command with checked arguments. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cluster/core/units.h"

namespace mcv::cli {

enum class Format { table, json };

/// Options every command takes, accepted anywhere on the line.
struct Globals {
  Format format = Format::table;
  bool quiet = false;
  bool dry_run = false;
  bool wait = true;
  bool yes = false;
  bool help = false;
  bool version = false;
  int verbose = 0;
  std::string socket = "/run/mcv/mcvd.sock";
};

/// For help, man page and completion.
const std::vector<Option>& global_options();

struct Invocation {
  Globals globals;
  const Command* command = nullptr;  ///< nullptr: help or version was asked for, about `topic`
  std::string topic;                 ///< a noun, or empty
  Arguments arguments;
};

/// `words` without the program's name. Errors: bad_request, with the nearest spelling where one is near.
Result<Invocation> parse_arguments(const std::vector<std::string>& words);

/// "hvctl vm create NAME --memory SIZE [options]"
std::string usage_of(const Command& command);

/// "90", "90s", "5m", "1h" in seconds.
Result<std::uint64_t> parse_seconds(std::string_view option, std::string_view text);
/// "256M", "10G".
Result<Bytes> parse_size(std::string_view option, std::string_view text);
/// A whole number from 1 to `max`.
Result<std::uint32_t> parse_count(std::string_view option, std::string_view text, std::uint32_t max);
/// An IPv4 or IPv6 literal: names are never looked up for cluster addresses.
Result<std::string> parse_address(std::string_view text);

}  // namespace mcv::cli
