// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/problem.h"

#include <fmt/format.h>
#include <utility>

#include "cluster/core/utf8.h"

namespace mcv {
namespace {

std::string member_of(const Json& problem, const char* key) {
  const auto found = problem.find(key);
  return found != problem.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

int http_status_of(ErrorCode code) { return code == ErrorCode::too_large ? 413 : http_status_of(kind_of(code)); }

std::string_view default_safe(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::denied: return "nothing was changed";
    case ErrorKind::outcome_unknown: return "guests run on; both nodes will have the change, or neither";
    default: return "guests run on; what was begun, if anything, is in hvctl op list";
  }
}

Json to_problem(const Error& error) {
  Json problem = {{"type", fmt::format("urn:mcv:error:{}", to_text(error.code()))},
                  {"title", to_text(error.kind())},
                  {"status", http_status_of(error.code())},
                  {"detail", valid_utf8(error.message())},
                  {"code", to_text(error.code())}};
  if (!error.safe().empty()) problem["safe"] = valid_utf8(error.safe());
  if (!error.next().empty()) problem["next"] = valid_utf8(error.next());
  return problem;
}

Json to_client_problem(const Error& error) {
  Json problem = to_problem(error);
  // What somebody sent may be in it, whole.
  if (error.message().size() > longest_detail) problem["detail"] = valid_utf8(std::string_view(error.message()).substr(0, longest_detail));
  if (!problem.contains("safe")) problem["safe"] = default_safe(error.kind());
  if (!problem.contains("next")) problem["next"] = default_next(error.kind());
  return problem;
}

Error error_from_problem(const Json& problem) {
  if (!problem.is_object()) return Error(ErrorCode::internal, fmt::format("an error that cannot be read: {}", problem.dump()));
  const std::string spelling = member_of(problem, "code");
  const ErrorCode code = error_code_from_text(spelling);
  std::string message = member_of(problem, "detail");
  if (message.empty()) message = member_of(problem, "title");
  if (to_text(code) != spelling) message += fmt::format(" (code '{}', unknown to this build)", spelling);
  return Error(code, std::move(message)).with_safe(member_of(problem, "safe")).with_next(member_of(problem, "next"));
}

}  // namespace mcv
