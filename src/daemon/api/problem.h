// SPDX-License-Identifier: Apache-2.0
// Errors on the wire: RFC 9457 problem objects. The only place where an Error becomes JSON and back.
#pragma once

#include <string_view>

#include "cluster/core/error.h"
#include "cluster/core/json.h"

namespace mcv::api {

inline constexpr std::string_view problem_content_type = "application/problem+json";
inline constexpr std::size_t longest_detail = 4000;  ///< bytes of "detail"; what is beyond is left out

/// {"type":"urn:mcv:error:<code>","title":<kind>,"status":N,"detail":<message>,"code":<code>} plus "safe" and "next"
/// where the error has them. Bytes that are not UTF-8 (a tool's last words) are replaced, so that it can always be sent.
Json to_problem(const Error& error);
/// The same with a "safe" always, for whoever asked. Not between nodes: the node that asked may have begun something.
Json to_client_problem(const Error& error);
/// The HTTP status that goes with it.
int http_status_of(const Error& error);
/// Accepts what any build sent: a code this build does not know becomes `internal` and stays readable in the message.
Error from_problem(const Json& problem);
/// The body of a reply that was not a success; text that is no problem object becomes `bad_output`.
Error error_from_reply(int status, std::string_view body);

}  // namespace mcv::api
