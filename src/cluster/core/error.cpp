// SPDX-License-Identifier: Apache-2.0
#include "cluster/core/error.h"

#include <utility>

namespace mcv {

ErrorKind kind_of(ErrorCode code) {
  switch (code) {
#define MCV_ERROR(identifier, text, kind) \
  case ErrorCode::identifier:             \
    return ErrorKind::kind;
#include "cluster/core/error_codes.def"
#undef MCV_ERROR
  }
  return ErrorKind::internal;
}

std::string_view to_text(ErrorCode code) {
  switch (code) {
#define MCV_ERROR(identifier, text, kind) \
  case ErrorCode::identifier:             \
    return text;
#include "cluster/core/error_codes.def"
#undef MCV_ERROR
  }
  return "internal";
}

std::string_view to_text(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return "invalid_request";
    case ErrorKind::denied: return "denied";
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::precondition: return "precondition";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::timed_out: return "timed_out";
    case ErrorKind::outcome_unknown: return "outcome_unknown";
    case ErrorKind::command_failed: return "command_failed";
    case ErrorKind::needs_operator: return "needs_operator";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

const std::vector<ErrorCode>& all_error_codes() {
  static const std::vector<ErrorCode> codes{
#define MCV_ERROR(identifier, text, kind) ErrorCode::identifier,
#include "cluster/core/error_codes.def"
#undef MCV_ERROR
  };
  return codes;
}

ErrorCode error_code_from_text(std::string_view text) {
  for (const ErrorCode code : all_error_codes()) {
    if (to_text(code) == text) return code;
  }
  return ErrorCode::internal;
}

std::string_view default_next(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return "hvctl --help";
    case ErrorKind::denied: return "the same command as root (sudo)";
    case ErrorKind::not_found:
    case ErrorKind::unavailable:
    case ErrorKind::outcome_unknown: return "hvctl info";
    case ErrorKind::conflict:
    case ErrorKind::timed_out: return "hvctl op list";
    case ErrorKind::precondition:
    case ErrorKind::needs_operator: return "hvctl info, and this code in man mcv-errors";
    case ErrorKind::command_failed:
    case ErrorKind::internal: break;
  }
  return "journalctl -u mcvd -n 50";
}

// 1 is left to crashes of the runtime, 2 to usage errors as every shell tool does; 20 and up belong to verify.
int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return 2;
    case ErrorKind::denied: return 3;
    case ErrorKind::not_found: return 4;
    case ErrorKind::conflict: return 5;
    case ErrorKind::precondition: return 6;
    case ErrorKind::unavailable: return 7;
    case ErrorKind::timed_out: return 8;
    case ErrorKind::outcome_unknown: return 9;
    case ErrorKind::command_failed: return 10;
    case ErrorKind::needs_operator: return 11;
    case ErrorKind::internal: return 12;
  }
  return 12;
}

int http_status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request: return 400;
    case ErrorKind::denied: return 403;
    case ErrorKind::not_found: return 404;
    case ErrorKind::conflict: return 409;
    case ErrorKind::precondition: return 412;
    case ErrorKind::unavailable: return 503;
    case ErrorKind::timed_out: return 504;
    case ErrorKind::outcome_unknown: return 502;
    case ErrorKind::command_failed: return 500;
    case ErrorKind::needs_operator: return 409;
    case ErrorKind::internal: return 500;
  }
  return 500;
}

Error::Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

Error&& Error::with_safe(std::string text) && {
  safe_ = std::move(text);
  return std::move(*this);
}

Error&& Error::with_next(std::string command) && {
  next_ = std::move(command);
  return std::move(*this);
}

Error&& Error::with_context(std::string_view what) && {
  message_ = std::string(what) + ": " + message_;
  return std::move(*this);
}

std::string Error::to_text() const {
  std::string text = message_;
  if (!safe_.empty()) text += "\nSafe: " + safe_;
  if (!next_.empty()) text += "\nNext: " + next_;
  return text;
}

}  // namespace mcv
