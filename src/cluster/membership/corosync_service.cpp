// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/corosync_service.h"

#include <algorithm>
#include <fmt/format.h>

namespace mcv::membership {

namespace asio = boost::asio;

namespace {

constexpr const char* conf_path = "/etc/corosync/corosync.conf";
constexpr const char* key_path = "/etc/corosync/authkey";
constexpr std::string_view our_mark = "# Written by mcv";
constexpr std::size_t authkey_bytes = 256;

/// The example in Debian's package: one node on the loopback address.
bool is_debian_example(const std::string& conf) {
  return conf.find("cluster_name: debian") != std::string::npos && conf.find("ring0_addr: 127.0.0.1") != std::string::npos;
}

Result<std::string> bytes_of_hex(const std::string& hex) {
  std::string bytes;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return Error(ErrorCode::bad_request, "the corosync key is not hexadecimal");
    bytes += static_cast<char>(high * 16 + low);
  }
  if (bytes.size() != authkey_bytes) return Error(ErrorCode::bad_request, "the corosync key has a wrong length");
  return bytes;
}

host::Command systemctl(std::initializer_list<const char*> words) {
  host::Command command;
  command.argv = {"systemctl"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.deadline = std::chrono::seconds(60);
  return command;
}

/// The text of a file, empty when there is none.
asio::awaitable<Result<std::string>> read_or_empty(host::Host& host, const char* path) {
  auto text = co_await host.files.read(path);
  if (!text.ok() && text.error().code() == ErrorCode::not_found) co_return std::string();
  co_return text;
}

}  // namespace

Result<std::string> render_corosync_conf(const std::vector<NodeRecord>& members) {
  if (members.size() != 2) return Error(ErrorCode::bad_request, fmt::format("corosync is for two members, not {}", members.size()));
  std::string nodes;
  for (const NodeRecord& member : members) {
    if (member.cluster_address.empty()) return Error(ErrorCode::bad_request, fmt::format("{} has no cluster address", member.name.str()));
    nodes += fmt::format("  node {{\n    name: {}\n    nodeid: {}\n    ring0_addr: {}\n  }}\n", member.name.str(), member.id, member.cluster_address);
  }
  // token and consensus: a lost peer is known after about 2.2 s (reference: measured 2.16 s), long enough not to be
  // fooled by a busy host. Encrypted: whoever is on the segment could otherwise join the group.
  return fmt::format(
      "{}; changes are lost when the cluster changes.\n"
      "totem {{\n  version: 2\n  cluster_name: mcv\n  transport: knet\n  crypto_cipher: aes256\n  crypto_hash: sha256\n"
      "  token: 1000\n  consensus: 1200\n}}\n"
      "nodelist {{\n{}}}\n"
      "quorum {{\n  provider: corosync_votequorum\n  two_node: 1\n  wait_for_all: 1\n}}\n"
      "logging {{\n  to_stderr: no\n  to_logfile: no\n  to_syslog: yes\n}}\n",
      our_mark, nodes);
}

Result<CorosyncFiles> corosync_files(const std::vector<NodeRecord>& members, const std::string& authkey_hex) {
  CorosyncFiles files;
  MCV_TRY(files.conf, render_corosync_conf(members));
  MCV_CHECK(bytes_of_hex(authkey_hex));
  files.authkey_hex = authkey_hex;
  return files;
}

std::string new_authkey_hex(host::Random& random) { return random.hex(authkey_bytes); }

asio::awaitable<Result<bool>> foreign_corosync(host::Host& host) {
  MCV_CO_TRY(const std::string conf, co_await read_or_empty(host, conf_path));
  co_return !conf.empty() && !conf.starts_with(our_mark) && !is_debian_example(conf);
}

asio::awaitable<Status> ensure_corosync(host::Host& host, CorosyncFiles files) {
  MCV_CO_TRY(const bool foreign, co_await foreign_corosync(host));
  if (foreign) {
    co_return Error(ErrorCode::not_blank, fmt::format("{} was not written by mcv", conf_path)).with_safe("it was not touched").with_next("move it away if nothing uses it");
  }
  MCV_CO_TRY(const std::string key, bytes_of_hex(files.authkey_hex));
  MCV_CO_TRY(const std::string old_conf, co_await read_or_empty(host, conf_path));
  MCV_CO_TRY(const std::string old_key, co_await read_or_empty(host, key_path));
  const bool changed = old_conf != files.conf || old_key != key;
  if (changed) {
    MCV_CO_CHECK(co_await host.files.make_directory("/etc/corosync", 0755));
    MCV_CO_CHECK(co_await host.files.write_durably(key_path, key, 0400));
    MCV_CO_CHECK(co_await host.files.write_durably(conf_path, files.conf, 0644));
  }
  host::Command enable = systemctl({"enable", "corosync.service"});
  MCV_CO_TRY(const std::string enabled, co_await host::run_ok(host.processes, std::move(enable)));
  host::Command start = changed ? systemctl({"restart", "corosync.service"}) : systemctl({"start", "corosync.service"});
  MCV_CO_TRY(const std::string started, co_await host::run_ok(host.processes, std::move(start)));
  co_return success();
}

asio::awaitable<Status> remove_corosync(host::Host& host) {
  MCV_CO_TRY(const std::string conf, co_await read_or_empty(host, conf_path));
  if (!conf.starts_with(our_mark)) co_return success();
  host::Command disable = systemctl({"disable", "--now", "corosync.service"});
  MCV_CO_TRY(const std::string disabled, co_await host::run_ok(host.processes, std::move(disable)));
  MCV_CO_CHECK(co_await host.files.remove(conf_path));
  co_return co_await host.files.remove(key_path);
}

}  // namespace mcv::membership
