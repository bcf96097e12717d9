// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/console_stream.h"

#include "daemon/node/node.h"

namespace mcv {

namespace asio = boost::asio;

namespace {

class ViewerStream final : public host::ByteStream {
 public:
  explicit ViewerStream(std::unique_ptr<hv::ConsoleViewer> viewer) : viewer_(std::move(viewer)) {}

  asio::awaitable<Result<std::string>> read_some() override {
    std::string bytes = co_await viewer_->next();
    co_return bytes;
  }
  /// A key typed at a guest that does not read, or is off, is lost as at any serial line; the viewer stays.
  asio::awaitable<Status> write(std::string bytes) override {
    Status sent = viewer_->send(std::move(bytes));
    if (!sent.ok() && (sent.error().code() == ErrorCode::busy || sent.error().code() == ErrorCode::guest_stopped)) co_return success();
    co_return sent;
  }
  void close() override {}

 private:
  std::unique_ptr<hv::ConsoleViewer> viewer_;
};

}  // namespace

api::UpgradeReply open_console(Node& node, const VmName& vm, std::size_t replay_bytes) {
  return {"mcv-console", std::make_unique<ViewerStream>(node.guests.console().attach(vm, replay_bytes))};
}

}  // namespace mcv
