// SPDX-License-Identifier: Apache-2.0
#include "net/links.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "cluster/core/json.h"
#include "net/commands.h"

namespace mcv::net {

namespace asio = boost::asio;

namespace {

std::string text_or_empty(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint32_t number_or_zero(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint32_t>() : 0;
}

bool flag(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

void read_kind(const Json& json, Link& link) {
  const auto info = json.find("linkinfo");
  if (info == json.end() || !info->is_object()) return;
  link.kind = text_or_empty(*info, "info_kind");
  if (link.kind != "tun") return;
  const auto data = info->find("info_data");
  if (data == info->end() || !data->is_object()) return;
  link.tap = text_or_empty(*data, "type") == "tap";
  link.vnet_header = flag(*data, "vnet_hdr");
}

void read_addresses(const Json& json, Link& link) {
  const auto list = json.find("addr_info");
  if (list == json.end() || !list->is_array()) return;
  for (const Json& entry : *list) {
    Address address;
    address.text = text_or_empty(entry, "local");
    address.prefix = number_or_zero(entry, "prefixlen");
    address.link_local = text_or_empty(entry, "scope") == "link";
    if (!address.text.empty()) link.addresses.push_back(std::move(address));
  }
}

bool is_loopback(const Link& link) { return link.name == "lo"; }

}  // namespace

Result<std::vector<Link>> parse_links(std::string_view text) {
  MCV_TRY(const Json json, parse_json(text));
  if (!json.is_array()) return Error(ErrorCode::bad_output, "ip -j printed no list");
  std::vector<Link> links;
  for (const Json& entry : json) {
    Link link;
    link.name = text_or_empty(entry, "ifname");
    if (link.name.empty()) continue;  // `ip` prints {} for what a filter left out
    link.mac = text_or_empty(entry, "address");
    link.bridge = text_or_empty(entry, "master");
    link.mtu = number_or_zero(entry, "mtu");
    if (const auto flags = entry.find("flags"); flags != entry.end() && flags->is_array()) {
      link.up = std::find(flags->begin(), flags->end(), "UP") != flags->end();
      link.carrier = std::find(flags->begin(), flags->end(), "LOWER_UP") != flags->end();
    }
    read_kind(entry, link);
    read_addresses(entry, link);
    links.push_back(std::move(link));
  }
  return links;
}

const Link* find(const std::vector<Link>& links, const std::string& name) {
  const auto found = std::find_if(links.begin(), links.end(), [&](const Link& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

asio::awaitable<Result<std::vector<Link>>> links(host::Host& host) {
  host::Command command = commands::list_links();
  MCV_CO_TRY(const std::string text, co_await host::run_ok(host.processes, std::move(command)));
  co_return parse_links(text);
}

bool is_local_address(const std::vector<Link>& links, const std::string& address) {
  boost::system::error_code bad;
  const auto wanted = asio::ip::make_address(address, bad);
  if (bad) return false;
  for (const Link& link : links) {
    if (is_loopback(link)) continue;
    for (const Address& own : link.addresses) {
      const auto parsed = asio::ip::make_address(own.text, bad);
      if (!bad && !own.link_local && parsed == wanted) return true;
    }
  }
  return false;
}

std::vector<std::string> bridges(const std::vector<Link>& links) {
  std::vector<std::string> names;
  for (const Link& link : links) {
    if (link.kind == "bridge") names.push_back(link.name);
  }
  return names;
}

std::vector<std::string> usable_addresses(const std::vector<Link>& links) {
  std::vector<std::string> addresses;
  for (const Link& link : links) {
    if (is_loopback(link)) continue;
    for (const Address& address : link.addresses) {
      if (!address.link_local) addresses.push_back(address.text);
    }
  }
  return addresses;
}

}  // namespace mcv::net
