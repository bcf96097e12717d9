// SPDX-License-Identifier: Apache-2.0
// The manual of hvctl out of the command table: hvctl(1), and a page for each first word of its commands, hvctl-vm(1). Pure.
#pragma once

#include <string>
#include <vector>

namespace mcv::cli {

struct ManualPage {
  std::string file;  ///< "hvctl-vm.1", in docs/man
  std::string text;  ///< roff, man(7) macros only
};

/// All of them, hvctl.1 first, then in the order of the command table.
std::vector<ManualPage> manual_pages();

}  // namespace mcv::cli
