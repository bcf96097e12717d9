// SPDX-License-Identifier: Apache-2.0
// Names and addresses we make up. Pure.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/host/random.h"

namespace mcv::net {

/// "mcv" and 12 hex digits of a hash over VM and NIC: a device name has at most 15 characters, a VM's name more.
std::string tap_name(const VmName& vm, std::size_t index);
bool is_tap_name(const std::string& name);

/// QEMU's range 52:54:00 and three random bytes, not in `taken` (lower case).
Result<std::string> new_mac(host::Random& random, const std::set<std::string>& taken);

/// `bad_name` for what the kernel does not take as a device name (1 to 15 characters, no '/', no space, …).
Status check_device_name(const std::string& name);

}  // namespace mcv::net
