// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or one Error. A class of its own, not an alias, so that clang warns on a discarded
// `co_await f();` as well (GCC 12 does not; the lint preset runs clang).
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "cluster/core/error.h"

namespace mcv {

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using Base = tl::expected<T, Error>;
  using Base::Base;
  Result() = default;
  Result(Error error) : Base(tl::unexpect, std::move(error)) {}
  Result(Base base) : Base(std::move(base)) {}

  bool ok() const { return this->has_value(); }
};

using Status = Result<void>;

/// The success of an operation that returns nothing.
inline Status success() { return {}; }

}  // namespace mcv

#define MCV_CONCAT_INNER(a, b) a##b
#define MCV_CONCAT(a, b) MCV_CONCAT_INNER(a, b)

/// MCV_TRY(auto info, f(name)); declares info, or returns the error from the enclosing function.
#define MCV_TRY(declaration, ...) MCV_TRY_WITH(return, MCV_CONCAT(mcv_result_, __LINE__), declaration, __VA_ARGS__)
/// The same inside a coroutine; the expression may be one co_await.
#define MCV_CO_TRY(declaration, ...) MCV_TRY_WITH(co_return, MCV_CONCAT(mcv_result_, __LINE__), declaration, __VA_ARGS__)
#define MCV_TRY_WITH(leave, result, declaration, ...)     \
  auto result = __VA_ARGS__;                              \
  if (!result.has_value()) leave std::move(result).error(); \
  declaration = std::move(result).value()

/// For a Status: returns its error, otherwise goes on.
#define MCV_CHECK(...) MCV_CHECK_WITH(return, MCV_CONCAT(mcv_status_, __LINE__), __VA_ARGS__)
#define MCV_CO_CHECK(...) MCV_CHECK_WITH(co_return, MCV_CONCAT(mcv_status_, __LINE__), __VA_ARGS__)
#define MCV_CHECK_WITH(leave, status, ...)                 \
  if (auto status = __VA_ARGS__; status.has_value()) { \
  } else                                                \
    leave std::move(status).error()
