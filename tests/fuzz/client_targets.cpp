// SPDX-License-Identifier: Apache-2.0
// What hvctl hears at mcvd's socket: its own reading of HTTP, and the names it offers to a shell.
#include <algorithm>
#include <iterator>

#include "cli/client.h"
#include "cli/complete.h"
#include "cli/render/text.h"
#include "speaking_socket.h"
#include "targets.h"

namespace mcv::fuzz {
namespace {

using namespace std::chrono_literals;

template <typename Answer>
void has_a_reason(const Result<Answer>& answer) {
  if (!answer.ok()) must(!answer.error().message().empty() || answer.error().code() != ErrorCode::internal, "a failure has a reason");
}

/// The first byte says what was asked, the rest is the answer.
void hvctl_answers(std::string_view text) {
  if (text.empty()) return;
  SpeakingSocket::get().will_say(std::string(text.substr(1)));
  cli::Client client(SpeakingSocket::get().path(), nullptr, {5s, 5s});
  switch (text.front()) {
    case 'f': return has_a_reason(client.follow("op", [](const Json& view) { must(view.is_object(), "an operation is shown as one"); }, 0ms));
    case 'u': {
      const auto stream = client.upgrade("/v1/vms/vm1/console", "mcv-console");
      if (stream.ok()) must(stream->first.size() < text.size(), "what came with the answer was in it");
      return has_a_reason(stream);
    }
    case 'p': return has_a_reason(client.request("POST", "/v1/vms", Json::object()));
    default: {
      const auto reply = client.request("GET", "/v1/vms");
      if (reply.ok()) must(reply->status >= 200 && reply->status < 300, "what is taken is a success");
      return has_a_reason(reply);
    }
  }
}

/// Words apart by newlines, then 0x1e and what mcvd would list.
void completion(std::string_view text) {
  const std::size_t end = std::min(text.find('\x1e'), text.size());
  const std::string body(text.substr(std::min(end + 1, text.size())));
  SpeakingSocket::get().will_say("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  std::vector<std::string> words = {"--socket", SpeakingSocket::get().path()};
  std::string_view rest = text.substr(0, end);
  while (words.size() < 64) {
    const std::size_t word = std::min(rest.find('\n'), rest.size());
    // Nobody else is asked.
    if (!rest.substr(0, word).starts_with("--socket")) words.emplace_back(rest.substr(0, word));
    if (word == rest.size()) break;
    rest.remove_prefix(word + 1);
  }
  const std::string begun = words.back() == "=" ? std::string() : words.back();  // bash has it as a word of its own
  for (const std::string& candidate : cli::complete(words).candidates) {
    must(candidate.starts_with(begun), "only what goes on as it was begun is offered");
    must(candidate.size() == begun.size() || cli::printable(candidate) == candidate, "a candidate is one line of the shell's");
  }
}

}  // namespace

std::vector<Target> client_targets() { return {{"hvctl-answers", hvctl_answers, {}}, {"completion", completion, {}}}; }

}  // namespace mcv::fuzz
