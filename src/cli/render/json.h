// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>

#include "cluster/core/json.h"

namespace mcv::cli {

/// For `-o json`: indented for a person at a terminal, one line for a script. Broken UTF-8 is replaced, never an exception.
inline void print_json(std::ostream& out, const Json& value, bool terminal) {
  out << value.dump(terminal ? 2 : -1, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace mcv::cli
