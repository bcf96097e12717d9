// SPDX-License-Identifier: Apache-2.0
// Errors as RFC 9457 problems: the form they have in the API, in the journal and between the nodes.
#pragma once

#include "cluster/core/error.h"
#include "cluster/core/json.h"

namespace mcv {

/// {"type","title","status","detail","code","safe","next"}; the last two only where the error has them. Bytes that are not UTF-8
/// (a tool's last words) are replaced.
Json to_problem(const Error& error);
/// Never fails: what cannot be read becomes an `internal` error that quotes it.
Error error_from_problem(const Json& problem);

}  // namespace mcv
