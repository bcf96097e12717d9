// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cluster/host/files.h"
#include "engine/reply.h"

namespace mcv::sim {

/// The files of one node. What is under /run is gone with the power, and so is what was not synced.
struct FileDisk {
  struct File {
    std::string text;                     ///< what a reader sees
    std::optional<std::string> durable;   ///< what a power cut leaves; nullopt: nothing
    std::string owner = "root";
  };
  std::map<std::string, File> files;
  bool full = false;
  /// /proc, /sys and everything else the machine makes up: asked first.
  std::function<std::optional<std::string>(const std::string& path)> made_up;
  /// Whoever writes one, with open(2)'s mode.
  std::function<void(const std::string& path, const std::string& text, unsigned mode)> on_write;

  void power_cut();
  bool there(const std::string& path) const;
  void remove_tree(const std::string& path);
  void put(const std::string& path, std::string text, bool synced);
};

class SimFiles final : public host::Files {
 public:
  SimFiles(Scheduler& scheduler, Owner owner, FileDisk& disk) : scheduler_(scheduler), owner_(owner), disk_(disk) {}

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
  boost::asio::awaitable<Status> change(std::function<Status()> effect);
  Scheduler& scheduler_;
  Owner owner_;
  FileDisk& disk_;
};

}  // namespace mcv::sim
