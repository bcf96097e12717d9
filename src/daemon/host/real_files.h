// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cluster/host/files.h"
#include "daemon/host/blocking_pool.h"

namespace mcv::host {

/// Each call is one job on the pool. Half-written files of a crash are named ".mcv-tmp.*"; `list` does not show them.
class RealFiles : public Files {
 public:
  explicit RealFiles(BlockingPool& pool) : pool_(pool) {}
  boost::asio::awaitable<Result<std::string>> read(std::string path) override;
  boost::asio::awaitable<Status> write_durably(std::string path, std::string text, unsigned mode) override;
  boost::asio::awaitable<Status> append(std::string path, std::string text, unsigned mode) override;
  boost::asio::awaitable<Status> write_in_place(std::string path, std::string text) override;
  boost::asio::awaitable<Status> remove(std::string path) override;
  boost::asio::awaitable<Result<bool>> exists(std::string path) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string directory) override;
  boost::asio::awaitable<Status> make_directory(std::string path, unsigned mode) override;
  boost::asio::awaitable<Result<std::string>> sha256(std::string path) override;

 private:
  BlockingPool& pool_;
};

}  // namespace mcv::host
