// SPDX-License-Identifier: Apache-2.0
#include "net/names.h"

#include <algorithm>
#include <fmt/format.h>

#include "cluster/core/sha256.h"

namespace mcv::net {

std::string tap_name(const VmName& vm, std::size_t index) {
  // '/' is in no VM name, so no two pairs give the same text.
  return "mcv" + sha256_hex(fmt::format("{}/{}", vm.str(), index)).substr(0, 12);
}

bool is_tap_name(const std::string& name) {
  return name.size() == 15 && name.starts_with("mcv") &&
         std::all_of(name.begin() + 3, name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<std::string> new_mac(host::Random& random, const std::set<std::string>& taken) {
  // 2^24 addresses and a few hundred guests: the second try is rare, the hundredth means the range is full.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string digits = random.hex(3);
    const std::string mac = fmt::format("52:54:00:{}:{}:{}", digits.substr(0, 2), digits.substr(2, 2), digits.substr(4, 2));
    if (!taken.contains(mac)) return mac;
  }
  return Error(ErrorCode::internal, "no free MAC address was found in 52:54:00");
}

Status check_device_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (plain && !name.empty() && name.size() <= 15 && name.front() != '.' && name.front() != '-') return success();
  return Error(ErrorCode::bad_name, fmt::format("\"{}\" is no network device name: letters, digits, '-', '_', '.', at most 15", name));
}

}  // namespace mcv::net
