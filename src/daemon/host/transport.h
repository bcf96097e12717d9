// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <string>

namespace mcv::host {

/// One connection, whatever carries it: a unix socket or TLS. HTTP is written once on top of it.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Appends at least one byte to `text`, or sets `code` (eof included). Cancellation is thrown, as everywhere.
  virtual boost::asio::awaitable<void> read_some(std::string& text, boost::system::error_code& code) = 0;
  virtual boost::asio::awaitable<void> write(std::string bytes, boost::system::error_code& code) = 0;
  /// At once, from anywhere on the loop: pending reads and writes end with operation_aborted in their `code`.
  virtual void close() = 0;
  virtual boost::asio::any_io_executor executor() = 0;
};

}  // namespace mcv::host
