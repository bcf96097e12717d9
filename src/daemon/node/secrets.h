// SPDX-License-Identifier: Apache-2.0
// Secrets of this node and of the cluster, apart from the configuration: one 0600 file. They travel only over the
// peer link and appear in no output; status shows that one is set.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cluster/core/result.h"
#include "cluster/host/files.h"

namespace mcv {

class Secrets {
 public:
  Secrets(host::Files& files, std::string path) : files_(files), path_(std::move(path)) {}

  /// Once, before the others. No file is an empty store.
  boost::asio::awaitable<Status> load();
  std::optional<std::string> get(const std::string& name) const;
  /// Durable when it returns.
  boost::asio::awaitable<Status> set(std::string name, std::string value);
  boost::asio::awaitable<Status> remove(std::string name);

 private:
  boost::asio::awaitable<Status> save(std::map<std::string, std::string> values);

  host::Files& files_;
  std::string path_;
  std::map<std::string, std::string> values_;
};

namespace secret_names {
/// DRBD's cram-hmac secret, one per cluster.
inline constexpr const char* drbd = "drbd-shared-secret";
/// /etc/corosync/authkey as hex: a resumed join must use the same one.
inline constexpr const char* corosync = "corosync-authkey";
}  // namespace secret_names

}  // namespace mcv
