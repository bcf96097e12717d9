// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/host/file_calls.h"

namespace mcv::host {

namespace asio = boost::asio;

namespace {

constexpr std::size_t pool_threads = 4;

/// A pipe made for a child must not land on 0, 1 or 2 of a daemon that was started with them closed.
void open_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));  // takes the lowest free number: fd
  }
}

std::string node_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "";
}

}  // namespace

Result<NodeKey> load_or_make_key(const std::string& path) {
  const Result<std::string> text = file_calls::read(path);
  if (text.ok()) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077u) != 0) {
      return Error(ErrorCode::io_error, fmt::format("the node's private key {} can be read by others", path))
          .with_next(fmt::format("chmod 600 {}; consider the key known to others", path));
    }
    Result<NodeKey> key = NodeKey::from_pem(*text);
    if (!key.ok()) return std::move(key).error().with_context(path);
    return key;
  }
  if (text.error().code() != ErrorCode::not_found) return text.error();
  MCV_TRY(NodeKey key, NodeKey::generate());
  MCV_TRY(const std::string pem, key.to_pem());
  MCV_CHECK(file_calls::make_directory(path.substr(0, path.rfind('/')), 0700));
  MCV_CHECK(file_calls::write_durably(path, pem, 0600));
  return key;
}

RealHost::RealHost(asio::any_io_executor loop, std::unique_ptr<RealPeerNetwork> peers)
    : loop_(loop), clock_(loop), processes_(loop), sockets_(loop), peers_(std::move(peers)), pool_(loop, pool_threads), files_(pool_) {}

Result<std::unique_ptr<RealHost>> RealHost::make(asio::any_io_executor loop, const std::string& key_file) {
  open_standard_descriptors();
  MCV_TRY(NodeKey key, load_or_make_key(key_file));
  MCV_TRY(auto peers, RealPeerNetwork::make(loop, std::move(key)));
  return std::unique_ptr<RealHost>(new RealHost(std::move(loop), std::move(peers)));
}

Host RealHost::host(Store& store, GroupChannel& group) {
  return Host{loop_, clock_, random_, processes_, files_, store, sockets_, *peers_, group, node_name()};
}

asio::awaitable<void> RealHost::stop() { return peers_->stop(); }

}  // namespace mcv::host
