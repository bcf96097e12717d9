// SPDX-License-Identifier: Apache-2.0
#include "cluster/plan/problem.h"

#include <fmt/format.h>

#include "cluster/core/utf8.h"

namespace mcv {
namespace {

std::string text_at(const Json& problem, const char* key) {
  const auto found = problem.find(key);
  return found != problem.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Json to_problem(const Error& error) {
  Json problem = {{"type", fmt::format("urn:mcv:error:{}", to_text(error.code()))},
                  {"title", to_text(error.kind())},
                  {"status", http_status_of(error.kind())},
                  {"detail", valid_utf8(error.message())},
                  {"code", to_text(error.code())}};
  if (!error.safe().empty()) problem["safe"] = valid_utf8(error.safe());
  if (!error.next().empty()) problem["next"] = valid_utf8(error.next());
  return problem;
}

Error error_from_problem(const Json& problem) {
  if (!problem.is_object()) return Error(ErrorCode::internal, fmt::format("an error that cannot be read: {}", problem.dump()));
  return Error(error_code_from_text(text_at(problem, "code")), text_at(problem, "detail")).with_safe(text_at(problem, "safe")).with_next(text_at(problem, "next"));
}

}  // namespace mcv
