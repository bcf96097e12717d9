// SPDX-License-Identifier: Apache-2.0
// The blocking calls behind RealFiles, for any thread.
#pragma once

#include <string>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::host::file_calls {

Result<std::string> read(const std::string& path);
Status write_durably(const std::string& path, const std::string& text, unsigned mode);
Status append(const std::string& path, const std::string& text, unsigned mode);
Status write_in_place(const std::string& path, const std::string& text);
Status remove(const std::string& path);
Result<bool> exists(const std::string& path);
Result<std::vector<std::string>> list(const std::string& directory);
Status make_directory(const std::string& path, unsigned mode);
Result<std::string> sha256(const std::string& path);

}  // namespace mcv::host::file_calls
