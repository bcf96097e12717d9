// SPDX-License-Identifier: Apache-2.0
// Errors as RFC 9457 problems: the form they have in the API, in the journal, between the nodes and in what hvctl prints. The only place
// where an Error becomes JSON and back.
#pragma once

#include <string_view>

#include "cluster/core/error.h"
#include "cluster/core/json.h"

namespace mcv {

inline constexpr std::string_view problem_content_type = "application/problem+json";
inline constexpr std::size_t longest_detail = 4000;  ///< bytes of "detail" that whoever asked is told; what is beyond is left out

/// As that of its kind, but for what is too large.
int http_status_of(ErrorCode code);
/// What is unharmed in every case of its kind, where the error itself names nothing better.
std::string_view default_safe(ErrorKind kind);

/// {"type","title","status","detail","code","safe","next"}; the last two only where the error has them. Bytes that are not UTF-8
/// (a tool's last words) are replaced.
Json to_problem(const Error& error);
/// For whoever asked: bounded, and always with "safe" and "next". Not between nodes: the node that asked may have begun something.
Json to_client_problem(const Error& error);
/// Never fails: what cannot be read becomes an `internal` error that quotes it, and a code that this build does not know stays
/// readable in the message.
Error error_from_problem(const Json& problem);

}  // namespace mcv
