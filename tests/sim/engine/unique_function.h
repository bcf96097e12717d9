// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace mcv::sim {

template <typename Signature>
class UniqueFunction;

/// A callable that may be move-only, as completion handlers are (std::move_only_function is C++23).
template <typename... Arguments>
class UniqueFunction<void(Arguments...)> {
 public:
  UniqueFunction() = default;
  template <typename F, typename = std::enable_if_t<!std::is_same_v<std::decay_t<F>, UniqueFunction>>>
  UniqueFunction(F&& function) : held_(std::make_unique<Held<std::decay_t<F>>>(std::forward<F>(function))) {}

  explicit operator bool() const { return held_ != nullptr; }
  /// Once: what was captured is gone afterwards.
  void operator()(Arguments... arguments) {
    const auto held = std::move(held_);
    held->call(std::move(arguments)...);
  }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void call(Arguments... arguments) = 0;
  };
  template <typename F>
  struct Held final : Base {
    explicit Held(F function) : function_(std::move(function)) {}
    void call(Arguments... arguments) override { std::move(function_)(std::move(arguments)...); }
    F function_;
  };
  std::unique_ptr<Base> held_;
};

}  // namespace mcv::sim
