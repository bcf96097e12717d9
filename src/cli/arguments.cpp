// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <arpa/inet.h>
#include <charconv>
#include <fmt/format.h>

#include "cli/command_table.h"
#include "cli/suggest.h"

namespace mcv::cli {
namespace {

Error usage_error(std::string message, std::string next) {
  return Error(ErrorCode::bad_request, std::move(message)).with_safe("nothing was asked of mcvd").with_next(std::move(next));
}

std::string did_you_mean(const std::string& found) { return found.empty() ? std::string() : fmt::format("; did you mean {}?", found); }

/// An option as typed: "--name=value" in two.
struct Typed {
  std::string name;
  std::optional<std::string> value;
};

Typed split_option(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string::npos) return {word, std::nullopt};
  return {word.substr(0, equals), word.substr(equals + 1)};
}

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

/// What other products call it.
std::string called_elsewhere(std::string_view noun) {
  if (noun == "guest" || noun == "domain" || noun == "machine") return "vm";
  return noun == "host" ? "node" : "";
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& words) : words_(words) {}

  Result<Invocation> parse() {
    MCV_CHECK(find_command());
    if (invocation_.command == nullptr) return std::move(invocation_);
    MCV_CHECK(read_arguments());
    if (invocation_.globals.help) {
      invocation_.topic = invocation_.command->name;
      invocation_.command = nullptr;
      return std::move(invocation_);
    }
    MCV_CHECK(check_complete());
    return std::move(invocation_);
  }

 private:
  /// Takes `words_[at_]` if it is a global option.
  Result<bool> take_global() {
    const std::string& word = words_[at_];
    const Typed typed = split_option(word);
    Globals& globals = invocation_.globals;
    if (typed.name == "-o" || typed.name == "--output" || typed.name == "--socket") {
      MCV_TRY(const std::string value, take_value(typed));
      if (typed.name == "--socket") globals.socket = value;
      else if (value == "json") globals.format = Format::json;
      else if (value == "table") globals.format = Format::table;
      else return usage_error(fmt::format("'{}' is not an output format", value), "-o table or -o json");
      return true;
    }
    if (typed.value) return false;
    if (word == "-q" || word == "--quiet") globals.quiet = true;
    else if (word == "--dry-run") globals.dry_run = true;
    else if (word == "--wait") globals.wait = true;
    else if (word == "--no-wait") globals.wait = false;
    else if (word == "--yes" || word == "-y") globals.yes = true;
    else if (word == "--help" || word == "-h") globals.help = true;
    else if (word == "--version") globals.version = true;
    else if (word == "--verbose") ++globals.verbose;
    else if (word.size() > 1 && word.front() == '-' && word.find_first_not_of('v', 1) == std::string::npos) globals.verbose += static_cast<int>(word.size()) - 1;
    else return false;
    ++at_;
    return true;
  }

  Result<std::string> take_value(const Typed& typed) {
    ++at_;
    if (typed.value) return *typed.value;
    if (at_ >= words_.size()) return usage_error(fmt::format("{} needs a value", typed.name), usage());
    return words_[at_++];
  }

  std::string usage() const {
    return invocation_.command == nullptr ? "hvctl --help" : usage_of(*invocation_.command);
  }

  Status skip_globals() {
    while (at_ < words_.size() && is_option(words_[at_])) {
      MCV_TRY(const bool taken, take_global());
      if (!taken) break;
    }
    return success();
  }

  Status find_command() {
    MCV_CHECK(skip_globals());
    if (at_ >= words_.size()) return success();
    const std::string first = words_[at_];
    if (is_option(first)) return usage_error(fmt::format("unknown option {}{}", first, did_you_mean(nearest_global(first))), "hvctl --help");
    ++at_;
    if (first == "help") return read_topic();
    MCV_CHECK(skip_globals());
    if (at_ < words_.size() && !is_option(words_[at_])) {
      if (const Command* command = find_spelling(first + " " + words_[at_])) {
        ++at_;
        invocation_.command = command;
        return success();
      }
    }
    if (take_flag_spelling(first)) return success();
    if (const Command* command = find_spelling(first)) {
      invocation_.command = command;
      return success();
    }
    return no_command(first);
  }

  /// MCVirt's form, where the verb is an option that may stand anywhere: "cluster --node B --add-node".
  bool take_flag_spelling(const std::string& noun) {
    for (const Command& command : command_table()) {
      for (const std::string_view spelling : command.also) {
        if (!spelling.starts_with(noun + " --")) continue;
        const std::string_view flag = spelling.substr(noun.size() + 1);
        for (std::size_t i = at_; i < words_.size() && words_[i] != "--"; ++i) {
          const Typed typed = split_option(words_[i]);
          if (typed.name != flag) continue;
          invocation_.command = &command;
          if (typed.value) words_[i] = *typed.value;
          else words_.erase(words_.begin() + static_cast<std::ptrdiff_t>(i));
          return true;
        }
      }
    }
    return false;
  }

  Status read_topic() {
    invocation_.globals.help = true;
    std::string topic;
    for (; at_ < words_.size(); ++at_) topic += (topic.empty() ? "" : " ") + words_[at_];
    if (topic.empty() || is_noun(topic)) {
      invocation_.topic = topic;
      return success();
    }
    if (const Command* command = find_spelling(topic)) {
      invocation_.topic = command->name;
      return success();
    }
    return usage_error(fmt::format("there is no command '{}'{}", topic, did_you_mean(nearest(topic, all_spellings()))), "hvctl --help");
  }

  Status no_command(const std::string& noun) {
    if (!is_noun(noun)) {
      std::string found = called_elsewhere(noun);
      if (found.empty()) found = nearest(noun, all_first_words());
      if (!found.empty()) found = "'hvctl " + found + "'";
      return usage_error(fmt::format("there is no command '{}'{}", noun, did_you_mean(found)), "hvctl --help");
    }
    invocation_.topic = noun;
    if (invocation_.globals.help) return success();
    if (at_ >= words_.size()) return usage_error(fmt::format("'hvctl {}' needs a verb: {}", noun, fmt::join(verbs_of(noun), ", ")), fmt::format("hvctl {} --help", noun));
    const std::string verb = words_[at_];
    if (verb == "help") {
      invocation_.globals.help = true;
      return success();
    }
    if (is_option(verb)) return usage_error(fmt::format("'hvctl {}' has no option {}{}", noun, verb, did_you_mean(nearest_flag(noun, verb))), fmt::format("hvctl {} --help", noun));
    if (noun == "node" && verb == "serve") {
      return usage_error("the daemon is mcvd, a service of systemd", "systemctl enable --now mcvd; what it runs: journalctl -u mcvd");
    }
    std::string found = nearest(verb, verbs_of(noun));
    if (!found.empty()) found = fmt::format("'hvctl {} {}'", noun, found);
    return usage_error(fmt::format("'hvctl {}' has no verb '{}'{}", noun, verb, did_you_mean(found)), fmt::format("hvctl {} --help", noun));
  }

  Status read_arguments() {
    bool only_names = false;
    while (at_ < words_.size()) {
      const std::string word = words_[at_];
      if (!only_names && word == "--") {
        only_names = true;
        ++at_;
        continue;
      }
      if (only_names || !is_option(word)) {
        invocation_.arguments.add_name(word);
        ++at_;
        continue;
      }
      MCV_TRY(const bool taken, take_option());
      if (taken) continue;
      MCV_TRY(const bool global, take_global());
      if (!global) return unknown_option(split_option(word).name);
    }
    return success();
  }

  Result<bool> take_option() {
    const Typed typed = split_option(words_[at_]);
    for (const Option& option : invocation_.command->options) {
      if (typed.name != option.name && (option.also.empty() || typed.name != option.also)) continue;
      if (!option.repeatable && invocation_.arguments.has(option.name)) return usage_error(fmt::format("{} was given twice", option.name), usage());
      if (option.value.empty()) {
        if (typed.value) return usage_error(fmt::format("{} takes no value", option.name), usage());
        invocation_.arguments.add(option.name, "");
        ++at_;
        return true;
      }
      MCV_TRY(const std::string value, take_value(typed));
      if (value.empty() && !option.may_be_empty) return usage_error(fmt::format("the value of {} is empty", option.name), usage());
      invocation_.arguments.add(option.name, value);
      return true;
    }
    return take_operand_option(typed);
  }

  Result<bool> take_operand_option(const Typed& typed) {
    if (typed.name != invocation_.command->operands.option()) return false;
    MCV_TRY(std::string value, take_value(typed));
    invocation_.arguments.add_name(std::move(value));
    return true;
  }

  Status unknown_option(const std::string& typed) const {
    std::vector<std::string> known;
    for (const Option& option : invocation_.command->options) known.emplace_back(option.name);
    for (const Option& option : global_options()) known.emplace_back(option.name);
    return usage_error(fmt::format("'hvctl {}' has no option {}{}", invocation_.command->name, typed, did_you_mean(nearest(typed, known))), fmt::format("hvctl {} --help", invocation_.command->name));
  }

  Status check_complete() const {
    const Command& command = *invocation_.command;
    const std::size_t count = invocation_.arguments.names().size();
    if (count < command.operands.min) return usage_error(fmt::format("'hvctl {}' needs {}", command.name, command.operands.name), usage());
    if (count > command.operands.max) {
      const std::string& extra = invocation_.arguments.names()[command.operands.max];
      return usage_error(fmt::format("'hvctl {}' does not take '{}'", command.name, extra), usage());
    }
    for (const Option& option : command.options) {
      if (option.required && !invocation_.arguments.has(option.name)) return usage_error(fmt::format("'hvctl {}' needs {} {}", command.name, option.name, option.value), usage());
    }
    return success();
  }

  static std::string nearest_global(const std::string& typed) {
    std::vector<std::string> known;
    for (const Option& option : global_options()) known.emplace_back(option.name);
    return nearest(typed, known);
  }

  static std::string nearest_flag(const std::string& noun, const std::string& typed) {
    std::vector<std::string> known;
    for (const Command& command : command_table()) {
      for (const std::string_view spelling : command.also) {
        if (spelling.starts_with(noun + " --")) known.emplace_back(spelling.substr(noun.size() + 1));
      }
    }
    return nearest(typed, known);
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;
  Invocation invocation_;
};

}  // namespace

std::string Arguments::value(std::string_view option, std::string_view fallback) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

const std::vector<Option>& global_options() {
  static const std::vector<Option> options{
      {.name = "--output", .value = "table|json", .help = "table (for people) or json (the API's own documents)", .also = "-o"},
      {.name = "--quiet", .help = "names only in lists; no progress", .also = "-q"},
      {.name = "--dry-run", .help = "show the plan of a change and change nothing"},
      {.name = "--wait", .help = "follow a long operation to its end (the default)"},
      {.name = "--no-wait", .help = "print the operation's id and return"},
      {.name = "--yes", .help = "answer every confirmation with yes", .also = "-y"},
      {.name = "--verbose", .help = "show each request on standard error", .also = "-v"},
      {.name = "--socket", .value = "PATH", .help = "mcvd's socket, /run/mcv/mcvd.sock unless given", .completes = Completes::file},
      {.name = "--version", .help = "print the version"},
      {.name = "--help", .help = "help on the command", .also = "-h"},
  };
  return options;
}

Result<Invocation> parse_arguments(const std::vector<std::string>& words) { return Parser(words).parse(); }

std::string usage_of(const Command& command) {
  std::string text = fmt::format("hvctl {}", command.name);
  bool optional = false;
  if (command.operands.max > 0) {
    const std::string many = command.operands.max == any_number ? "..." : "";
    text += command.operands.min > 0 ? fmt::format(" {}{}", command.operands.name, many) : fmt::format(" [{}{}]", command.operands.name, many);
  }
  for (const Option& option : command.options) {
    if (option.required) text += fmt::format(" {}{}{}", option.name, option.value.empty() ? "" : " ", option.value);
    else optional = true;
  }
  return optional ? text + " [options]" : text;
}

Result<std::uint64_t> parse_seconds(std::string_view option, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const std::uint64_t factor = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (code != std::errc{} || factor == 0 || number == 0 || number > 7 * 86400 / factor) {
    return usage_error(fmt::format("'{}' is not a time for {}", text, option), "write seconds, or a number with s, m or h: 90, 5m, 1h (at most a week)");
  }
  return number * factor;
}

Result<Bytes> parse_size(std::string_view option, std::string_view text) {
  Result<Bytes> size = Bytes::parse(text);
  if (size.ok()) return size;
  const std::string next = size.error().next();
  return std::move(size).error().with_context(option).with_safe("nothing was asked of mcvd").with_next(next);
}

Result<std::uint32_t> parse_count(std::string_view option, std::string_view text, std::uint32_t max) {
  std::uint32_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size() || number == 0 || number > max) {
    return usage_error(fmt::format("'{}' is not a number for {}", text, option), fmt::format("{} takes 1 to {}", option, max));
  }
  return number;
}

Result<std::string> parse_address(std::string_view text) {
  const std::string address(text);
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  if (inet_pton(AF_INET, address.c_str(), ignored.data()) == 1 || inet_pton(AF_INET6, address.c_str(), ignored.data()) == 1) return address;
  return usage_error(fmt::format("'{}' is not an IP address", text), "give an address such as 10.77.0.12 or fd00::12; names are not looked up");
}

}  // namespace mcv::cli
