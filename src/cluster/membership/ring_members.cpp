// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/ring_members.h"

#include <charconv>

namespace mcv {

std::optional<std::set<std::uint32_t>> parse_ring_members(std::string_view text) {
  constexpr std::string_view prefix = "runtime.members.";
  constexpr std::string_view suffix = ".status (str) = joined";
  std::set<std::uint32_t> members;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(prefix) || !line.ends_with(suffix) || line.size() <= prefix.size() + suffix.size()) continue;
    const std::string_view digits = line.substr(prefix.size(), line.size() - prefix.size() - suffix.size());
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error == std::errc() && end == digits.data() + digits.size()) members.insert(id);
  }
  if (members.empty()) return std::nullopt;
  return members;
}

boost::asio::awaitable<std::optional<std::set<std::uint32_t>>> ring_members(host::Processes& processes) {
  host::Command command;
  command.argv = {"corosync-cmapctl", "runtime.members."};
  command.deadline = std::chrono::seconds(5);
  const auto done = co_await processes.run(std::move(command));
  if (!done.ok() || !done->ok()) co_return std::nullopt;
  co_return parse_ring_members(done->out);
}

}  // namespace mcv
