// SPDX-License-Identifier: Apache-2.0
// The one thing a person or an ssh session carries from the node to be added to the node that adds it:
//   "mcv1:" + base64url, unpadded, of {"address","fingerprint","name","port","token","version"}
// The token proves to the new node that its operator asked for this; the fingerprint pins the new node's key for the
// one connection that follows. The token is a secret until it was used or ran out: the text is printed only when
// asked for, never logged, and no error below repeats any of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/core/names.h"
#include "cluster/core/result.h"

namespace mcv {

struct ConnectString {
  NodeName name;             ///< what the new node calls itself (`uname -n`)
  std::string address;       ///< literal IPv4 or IPv6 address its daemon listens on
  std::uint16_t port = 0;    ///< TCP port of that listener
  std::string fingerprint;   ///< SHA-256 of its public key, 64 lower-case hex digits
  std::string token;         ///< 16 to 128 of A-Z a-z 0-9 - _
  std::string version;       ///< the release that made it, "0.1.0"

  friend bool operator==(const ConnectString&, const ConnectString&) = default;
};

/// The text form of a valid value.
std::string encode_connect_string(const ConnectString& value);

/// Accepts exactly what `encode_connect_string` makes; white space around it is ignored (it came by copy and paste).
/// Errors: bad_connect_string, without any part of the text.
Result<ConnectString> parse_connect_string(std::string_view text);

}  // namespace mcv
