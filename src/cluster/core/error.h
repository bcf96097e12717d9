// SPDX-License-Identifier: Apache-2.0
// Errors as values: what happened, what is safe, the next command.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mcv {

/// What the caller can do about an error. Each kind is one CLI exit code and one HTTP status (docs/operations.md).
enum class ErrorKind {
  invalid_request,   ///< the request makes no sense; change it
  denied,            ///< identity or permission is missing
  not_found,         ///< the named thing does not exist
  conflict,          ///< another operation or object is in the way; may pass by itself
  precondition,      ///< something must change first; the error says what
  unavailable,       ///< a part did not answer; retrying may help
  timed_out,         ///< the declared bound passed
  outcome_unknown,   ///< it may or may not have happened; the error carries an id to ask for
  command_failed,    ///< a tool of the system refused
  needs_operator,    ///< only a person can decide
  internal,          ///< a defect of mcv or of the machine
};

enum class ErrorCode {
#define MCV_ERROR(identifier, text, kind) identifier,
#include "cluster/core/error_codes.def"
#undef MCV_ERROR
};

ErrorKind kind_of(ErrorCode code);
/// The stable spelling, for example "verify-gate".
std::string_view to_text(ErrorCode code);
std::string_view to_text(ErrorKind kind);
/// The code of a spelling a peer or an older build sent; `internal` when unknown.
ErrorCode error_code_from_text(std::string_view text);
/// All codes, in the order of error_codes.def.
const std::vector<ErrorCode>& all_error_codes();

/// What to type when the error itself names nothing better.
std::string_view default_next(ErrorKind kind);

int exit_code_of(ErrorKind kind);
int http_status_of(ErrorKind kind);

/// One error. `message` says what happened, `safe` what is known to be unharmed, `next` the command that helps.
/// Layers that know more add context in front of the message on the way up; the error is logged once, where it
/// stops travelling.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message);

  ErrorCode code() const { return code_; }
  ErrorKind kind() const { return kind_of(code_); }
  const std::string& message() const { return message_; }
  const std::string& safe() const { return safe_; }
  const std::string& next() const { return next_; }

  Error&& with_safe(std::string text) &&;
  Error&& with_next(std::string command) &&;
  /// "migrate vm1: " + message. Give the thing and the step, not the cause again.
  Error&& with_context(std::string_view what) &&;

  /// message, then "Safe: …" and "Next: …" lines where present.
  std::string to_text() const;

  friend bool operator==(const Error&, const Error&) = default;

 private:
  ErrorCode code_;
  std::string message_;
  std::string safe_;
  std::string next_;
};

}  // namespace mcv
