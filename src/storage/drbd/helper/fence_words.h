// SPDX-License-Identifier: Apache-2.0
// The texts of fence_protocol.h as the program writes and reads them. Nothing but the standard library, for the same reason.
#pragma once

#include <string>
#include <string_view>

#include "storage/drbd/helper/fence_protocol.h"

namespace mcv::drbd::fence {

/// As a JSON string. The kernel's words are resource names and addresses; anything else becomes '?'.
inline std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) result += (c < 0x20 || c > 0x7e || c == '"' || c == '\\') ? '?' : c;
  return result + "\"";
}

inline std::string message_of(std::string_view event, std::string_view resource, std::string_view peer_address) {
  return "{\"event\":" + quoted(event) + ",\"resource\":" + quoted(resource) + ",\"peer_address\":" + quoted(peer_address) + "}";
}

/// Exactly {"exit":N} with a code the kernel knows. Anything else is no answer.
inline int exit_code_in(std::string_view line) {
  constexpr int no_answer = static_cast<int>(Answer::no_answer);
  constexpr std::string_view head = "{\"exit\":";
  if (line.size() != head.size() + 2 || line.substr(0, head.size()) != head || line.back() != '}') return no_answer;
  const int code = line[head.size()] - '0';
  return code >= 3 && code <= 7 ? code : no_answer;
}

}  // namespace mcv::drbd::fence
