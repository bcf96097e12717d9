// SPDX-License-Identifier: Apache-2.0
#include "daemon/node/accounts.h"

#include <charconv>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace mcv {

namespace asio = boost::asio;

namespace {

/// getent(1): the key is not there.
constexpr int getent_not_found = 2;

Error cannot_tell(const std::string& key, const std::string& why) {
  return Error(ErrorCode::identity_unknown, fmt::format("the accounts of this machine could not be asked for {} ({})", key, why))
      .with_safe("nothing was done; root is not looked up")
      .with_next(fmt::format("getent passwd {}, which has to answer within {} s; then repeat the command", key, std::chrono::duration_cast<std::chrono::seconds>(Accounts::bound).count()));
}

}  // namespace

std::optional<Account> account_in(const std::string& text) {
  const std::size_t name_end = text.find(':');
  if (name_end == std::string::npos || name_end == 0) return std::nullopt;
  const std::size_t uid_begin = text.find(':', name_end + 1);
  if (uid_begin == std::string::npos) return std::nullopt;
  Account account;
  account.name = text.substr(0, name_end);
  const char* first = text.data() + uid_begin + 1;
  const auto read = std::from_chars(first, text.data() + text.size(), account.uid);
  const bool ends = read.ptr != text.data() + text.size() && *read.ptr == ':';
  if (read.ec != std::errc() || read.ptr == first || !ends) return std::nullopt;
  return account;
}

asio::awaitable<Result<std::optional<Account>>> Accounts::ask(std::string key) {
  host::Command command;
  command.argv = {"getent", "passwd", key};
  command.deadline = bound;
  const auto answer = co_await host_.processes.run(std::move(command));
  if (!answer.ok()) co_return cannot_tell(key, answer.error().message());
  if (answer->exit_code == getent_not_found) co_return std::optional<Account>();
  if (!answer->ok()) co_return cannot_tell(key, fmt::format("getent ended with {}", answer->exit_code));
  auto account = account_in(answer->out);
  if (!account) co_return cannot_tell(key, "getent gave no account");
  co_return account;
}

asio::awaitable<Result<std::optional<Account>>> Accounts::find(UserName name) {
  const std::string key = name.str();
  auto account = co_await ask(key);
  // Some name services fold case: what is granted goes by the one spelling that a connection will have.
  if (account.ok() && *account && (*account)->name != key) co_return std::optional<Account>();
  co_return account;
}

asio::awaitable<Result<std::optional<std::string>>> Accounts::name_of(std::uint32_t uid) {
  const auto known = remembered_.find(uid);
  if (known != remembered_.end() && host_.clock.now() < known->second.until) co_return known->second.name;
  const bool is_asked = waiting_.contains(uid);
  if (!is_asked && waiting_.size() >= most_at_once) co_return cannot_tell(std::to_string(uid), "it is being asked for many others");
  auto answer = std::make_shared<Mailbox<Name>>(host_.executor);
  waiting_[uid].push_back(answer);
  if (!is_asked) tasks_.spawn(look_up(uid));
  Name name = co_await answer->next();
  co_return name;
}

/// Not the caller's own coroutine: a client that goes away takes no look-up along that others wait for.
asio::awaitable<void> Accounts::look_up(std::uint32_t uid) {
  const auto account = co_await ask(std::to_string(uid));
  Name name = std::optional<std::string>();
  if (!account.ok()) name = account.error();
  else if (*account && (*account)->uid == uid) name = std::optional<std::string>((*account)->name);
  if (!account.ok()) spdlog::warn("{}", account.error().to_text());
  forget_old();
  if (name.ok()) remembered_[uid] = {*name, host_.clock.now() + remembered};
  const auto waiting = std::move(waiting_[uid]);
  waiting_.erase(uid);
  for (const auto& answer : waiting) answer->push(name);
}

void Accounts::forget_old() {
  const host::Instant now = host_.clock.now();
  std::erase_if(remembered_, [now](const auto& one) { return one.second.until <= now; });
}

}  // namespace mcv
