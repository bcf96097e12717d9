// SPDX-License-Identifier: Apache-2.0
// The accounts of this machine, as its name service has them. A name service may hang (a directory server that is away), so it is
// asked by a tool with a deadline, never by this process.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/names.h"
#include "cluster/core/result.h"
#include "cluster/core/task_group.h"
#include "cluster/host/host.h"
#include "cluster/store/mailbox.h"

namespace mcv {

struct Account {
  std::string name;  ///< as the name service spells it: not every name can be a user's
  std::uint32_t uid = 0;
  friend bool operator==(const Account&, const Account&) = default;
};

/// "alice:x:1000:1000:…", the first line that is one.
std::optional<Account> account_in(const std::string& text);

/// One per daemon, on the loop's thread. `tasks` must outlive the look-ups.
class Accounts {
 public:
  static constexpr std::chrono::milliseconds bound{5'000};   ///< of one look-up
  static constexpr std::chrono::seconds remembered{10};      ///< what was told is not asked for again: a burst of requests is one look-up
  static constexpr std::size_t most_at_once = 8;             ///< look-ups that run

  Accounts(host::Host& host, TaskGroup& tasks) : host_(host), tasks_(tasks) {}

  /// The name of a uid; nothing when no account has it. `identity_unknown` when the name service does not tell within the bound.
  /// Any number of callers wait for one look-up of a uid.
  boost::asio::awaitable<Result<std::optional<std::string>>> name_of(std::uint32_t uid);
  /// The account of that name; nothing when there is none.
  boost::asio::awaitable<Result<std::optional<Account>>> find(UserName name);

 private:
  using Name = Result<std::optional<std::string>>;
  struct Remembered {
    std::optional<std::string> name;
    host::Instant until;
  };

  boost::asio::awaitable<Result<std::optional<Account>>> ask(std::string key);
  boost::asio::awaitable<void> look_up(std::uint32_t uid);
  void forget_old();

  host::Host& host_;
  TaskGroup& tasks_;
  std::map<std::uint32_t, Remembered> remembered_;
  std::map<std::uint32_t, std::vector<std::shared_ptr<Mailbox<Name>>>> waiting_;  ///< by the uid that is being looked up
};

}  // namespace mcv
