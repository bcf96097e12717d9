// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cluster/core/result.h"

namespace mcv::host {

/// Whole small files. Paths are absolute. `not_found` when the path does not exist, `disk_full` on ENOSPC.
class Files {
 public:
  virtual ~Files() = default;
  /// At most 16 MiB. Works on /proc and /sys as well.
  virtual boost::asio::awaitable<Result<std::string>> read(std::string path) = 0;
  /// Temp file, fsync, rename, fsync of the directory: after a power cut the old or the new text, never a mixture.
  virtual boost::asio::awaitable<Status> write_durably(std::string path, std::string text, unsigned mode) = 0;
  /// Adds to the end; the file is made with `mode` when it is not there. Need not be durable: for logs. This one rewrites
  /// the file; an implementation that can append does.
  virtual boost::asio::awaitable<Status> append(std::string path, std::string text, unsigned mode);
  /// One write(2) into an existing file: for /sys and /proc.
  virtual boost::asio::awaitable<Status> write_in_place(std::string path, std::string text) = 0;
  /// Success when it is gone, whether or not it was there; the directory is fsynced.
  virtual boost::asio::awaitable<Status> remove(std::string path) = 0;
  virtual boost::asio::awaitable<Result<bool>> exists(std::string path) = 0;
  /// Names (not paths) in a directory, sorted; empty when the directory does not exist.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string directory) = 0;
  /// With parents; success when it is there already.
  virtual boost::asio::awaitable<Status> make_directory(std::string path, unsigned mode) = 0;
  /// SHA-256 of a file of any size as lower-case hex (kernels and images are compared between nodes by it).
  virtual boost::asio::awaitable<Result<std::string>> sha256(std::string path) = 0;
};

}  // namespace mcv::host
