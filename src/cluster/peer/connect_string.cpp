// SPDX-License-Identifier: Apache-2.0
#include "cluster/peer/connect_string.h"

#include <algorithm>
#include <array>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <optional>

#include "cluster/core/json.h"

namespace mcv {
namespace {

constexpr std::string_view prefix = "mcv1:";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t size_limit = 1024;

Error bad(std::string_view why) {
  return Error(ErrorCode::bad_connect_string, fmt::format("this is not a connect string: {}", why))
      .with_safe("nothing was changed on either node")
      .with_next("on the node to be added: hvctl cluster get-connect-string; paste its whole line");
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xffffU;
    for (held += 8; held >= 6; held -= 6) text += alphabet[bits >> (held - 6) & 63U];
  }
  if (held > 0) text += alphabet[bits << (6 - held) & 63U];
  return text;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xffU);
    }
  }
  // Left-over bits must be the zeros the encoder put there: one value, one text.
  if (held == 6 || (bits & ((1U << held) - 1U)) != 0) return std::nullopt;
  return bytes;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return inet_pton(AF_INET, text.c_str(), ignored.data()) == 1 || inet_pton(AF_INET6, text.c_str(), ignored.data()) == 1;
}

bool is_fingerprint(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_token(std::string_view text) {
  return text.size() >= 16 && text.size() <= 128 && text.find_first_not_of(alphabet) == std::string_view::npos;
}

bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 40 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; });
}

}  // namespace

std::string encode_connect_string(const ConnectString& value) {
  const Json json = {{"name", value.name.str()},         {"address", value.address}, {"port", value.port},
                     {"fingerprint", value.fingerprint}, {"token", value.token},     {"version", value.version}};
  return std::string(prefix) + to_base64url(canonical(json));
}

Result<ConnectString> parse_connect_string(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with(prefix)) return bad(fmt::format("it does not begin with '{}'", prefix));
  if (text.size() > size_limit) return bad("it is too long");
  const std::optional<std::string> decoded = from_base64url(text.substr(prefix.size()));
  if (!decoded) return bad("a part is missing or was changed");
  const Result<Json> json = parse_json(*decoded);
  if (!json.ok()) return bad("a part is missing or was changed");

  Fields fields(*json, "connect string");
  ConnectString value;
  const auto name = NodeName::parse(fields.required<std::string>("name"));
  value.address = fields.required<std::string>("address");
  const auto port = fields.required<std::uint32_t>("port");
  value.fingerprint = fields.required<std::string>("fingerprint");
  value.token = fields.required<std::string>("token");
  value.version = fields.required<std::string>("version");
  if (const Status status = fields.finish(); !status.ok()) return bad("a field is missing, unknown or of the wrong type");
  if (!name.ok()) return bad("the node name in it is not one");
  if (!is_address(value.address)) return bad("the address in it is not an IP address");
  if (port == 0 || port > 65535) return bad("the port in it is not one");
  if (!is_fingerprint(value.fingerprint)) return bad("the key fingerprint in it is not one");
  if (!is_token(value.token)) return bad("the token in it is not one");
  if (!is_version(value.version)) return bad("the version in it is not one");
  value.name = *name;
  value.port = static_cast<std::uint16_t>(port);
  // One value, one text: keys in another order, spaces or doubled keys mean that something else made it.
  if (encode_connect_string(value) != text) return bad("a part was changed");
  return value;
}

}  // namespace mcv
