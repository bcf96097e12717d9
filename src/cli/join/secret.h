// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string.h>
#include <string_view>

namespace mcv::cli {

/// A password in one fixed place: never copied by growth, overwritten when its life ends. Zero-terminated for C interfaces.
class Secret {
 public:
  static constexpr std::size_t limit = 1023;

  Secret() = default;
  ~Secret() { clear(); }
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    bytes_ = other.bytes_;
    size_ = other.size_;
    other.clear();
    return *this;
  }

  /// False when it is full.
  bool append(char c) {
    if (size_ == limit) return false;
    bytes_[size_++] = c;
    return true;
  }
  void clear() {
    explicit_bzero(bytes_.data(), bytes_.size());
    size_ = 0;
  }
  bool empty() const { return size_ == 0; }
  const char* c_str() const { return bytes_.data(); }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, limit + 1> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace mcv::cli
