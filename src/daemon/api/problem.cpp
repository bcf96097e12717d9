// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/problem.h"

#include <fmt/format.h>
#include <utility>

#include "cluster/core/utf8.h"

namespace mcv::api {
namespace {

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// What somebody sent may be in it, whole.
std::string_view clipped(std::string_view message) { return message.substr(0, longest_detail); }

/// True of every error of its kind that does not say it itself.
std::string_view default_safe(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::denied: return "nothing was changed";
    case ErrorKind::outcome_unknown: return "guests run on; both nodes will have the change, or neither";
    default: return "guests run on; what was begun, if anything, is in hvctl op list";
  }
}

}  // namespace

int http_status_of(const Error& error) {
  if (error.code() == ErrorCode::too_large) return 413;
  return mcv::http_status_of(error.kind());
}

Json to_problem(const Error& error) {
  const std::string code(to_text(error.code()));
  Json problem{{"type", "urn:mcv:error:" + code},
               {"title", std::string(to_text(error.kind()))},
               {"status", http_status_of(error)},
               {"detail", valid_utf8(clipped(error.message()))},
               {"code", code}};
  if (!error.safe().empty()) problem["safe"] = valid_utf8(error.safe());
  problem["next"] = error.next().empty() ? std::string(default_next(error.kind())) : valid_utf8(error.next());
  return problem;
}

Json to_client_problem(const Error& error) {
  Json problem = to_problem(error);
  if (!problem.contains("safe")) problem["safe"] = default_safe(error.kind());
  return problem;
}

Error from_problem(const Json& problem) {
  if (!problem.is_object()) return Error(ErrorCode::bad_output, "the answer is not a problem object");
  const std::string spelling = text_of(problem, "code");
  const ErrorCode code = error_code_from_text(spelling);
  std::string message = text_of(problem, "detail");
  if (message.empty()) message = "the daemon gave no detail";
  if (to_text(code) != spelling) message = fmt::format("{} (code '{}', unknown to this build)", message, spelling);
  return Error(code, std::move(message)).with_safe(text_of(problem, "safe")).with_next(text_of(problem, "next"));
}

Error error_from_reply(int status, std::string_view body) {
  Result<Json> problem = parse_json(body);
  if (problem.ok() && problem->is_object() && problem->contains("code")) return from_problem(*problem);
  return Error(ErrorCode::bad_output, fmt::format("HTTP status {} without an explanation", status));
}

}  // namespace mcv::api
