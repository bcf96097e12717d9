// SPDX-License-Identifier: Apache-2.0
// Which of Debian's packages a program comes from: what is missing is told with what to type.
#pragma once

#include <string>
#include <string_view>

#include "cluster/core/error.h"

namespace mcv::host {

/// Of a name or a path; empty for a program that mcv does not run.
std::string_view package_of(std::string_view program);

/// `command_missing` with the package to install where it is known. `why`: "is not installed".
Error program_missing(const std::string& program, std::string_view why);

}  // namespace mcv::host
