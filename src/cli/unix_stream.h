// SPDX-License-Identifier: Apache-2.0
// A blocking unix socket with deadlines, in the shape Boost.Beast's synchronous functions take. Asio's own sockets have no
// deadline on a blocking read.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstddef>
#include <string>

#include "cluster/core/result.h"

namespace mcv::cli {

class UnixStream {
 public:
  UnixStream() = default;
  ~UnixStream();
  UnixStream(UnixStream&& other) noexcept;
  UnixStream& operator=(UnixStream&& other) noexcept;

  /// Errors: daemon_unreachable (no socket, nobody listens, or nobody takes connections within `limit`), permission_denied.
  static Result<UnixStream> connect(const std::string& path, std::chrono::seconds limit = std::chrono::seconds(10));

  /// For each read and write from here on; negative waits for ever.
  void set_timeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }
  int descriptor() const { return descriptor_; }

  /// Error codes: eof, timed_out, interrupted (Ctrl-C under an InterruptGuard), or what the system said.
  std::size_t read_some(void* data, std::size_t size, boost::system::error_code& error);
  std::size_t write_some(const void* data, std::size_t size, boost::system::error_code& error);

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
      const boost::asio::mutable_buffer buffer(*it);
      if (buffer.size() > 0) return read_some(buffer.data(), buffer.size(), error);
    }
    error = {};
    return 0;
  }
  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
      const boost::asio::const_buffer buffer(*it);
      if (buffer.size() > 0) return write_some(buffer.data(), buffer.size(), error);
    }
    error = {};
    return 0;
  }
  // Beast asks for the throwing forms to exist; it only calls the others when given an error code.
  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t count = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }
  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t count = write_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return count;
  }

 private:
  explicit UnixStream(int descriptor) : descriptor_(descriptor) {}
  bool wait_for(short events, boost::system::error_code& error);

  int descriptor_ = -1;
  std::chrono::milliseconds timeout_{30'000};
};

}  // namespace mcv::cli
