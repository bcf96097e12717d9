// SPDX-License-Identifier: Apache-2.0
#include "daemon/routes/console_stream.h"

#include <fmt/format.h>

#include "daemon/node/node.h"
#include "daemon/routes/judge.h"

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

class ForwardedConsole final : public host::ByteStream {
 public:
  ForwardedConsole(NodeName owner, std::unique_ptr<host::ByteStream> stream) : owner_(std::move(owner)), stream_(std::move(stream)) {}

  asio::awaitable<Result<std::string>> read_some() override {
    if (lost_) co_return std::string();
    Result<std::string> bytes = co_await stream_->read_some();
    if (bytes.ok()) co_return bytes;
    lost_ = true;
    co_return fmt::format("\r\n[mcv: the link to {} was lost; whether the guest goes on there is not known here]\r\n", owner_.str());
  }
  /// What the link did not take is lost like a key at a cable that was pulled; reading says that it was.
  asio::awaitable<Status> write(std::string bytes) override {
    const Status sent = co_await stream_->write(std::move(bytes));
    static_cast<void>(sent);
    co_return success();
  }
  void close() override { stream_->close(); }

 private:
  const NodeName owner_;
  std::unique_ptr<host::ByteStream> stream_;
  bool lost_ = false;
};

class GuardedStream final : public host::ByteStream {
 public:
  GuardedStream(Node& node, api::ApiCall call, std::unique_ptr<host::ByteStream> stream) : node_(node), call_(std::move(call)), stream_(std::move(stream)) {}

  asio::awaitable<Result<std::string>> read_some() override {
    if (ended_) co_return std::string();
    Result<std::string> bytes = co_await stream_->read_some();
    const Status allowed = routes::still_may(node_, call_);
    // Also where it just ended: the owner's node refused a key, and closed.
    if (allowed.ok() || !bytes.ok()) co_return bytes;
    ended_ = true;
    co_return fmt::format("\r\n[mcv: {}; the guest goes on]\r\n", allowed.error().message());
  }
  asio::awaitable<Status> write(std::string bytes) override {
    Status allowed = routes::still_may(node_, call_);
    if (!allowed.ok()) co_return allowed;
    co_return co_await stream_->write(std::move(bytes));
  }
  void finish_writing() override { stream_->finish_writing(); }
  void close() override { stream_->close(); }

 private:
  Node& node_;
  const api::ApiCall call_;
  std::unique_ptr<host::ByteStream> stream_;
  bool ended_ = false;
};

}  // namespace

api::UpgradeReply while_allowed(Node& node, const api::ApiCall& call, api::UpgradeReply reply) {
  if (call.caller.uid == 0) return reply;
  return {std::move(reply.protocol), std::make_unique<GuardedStream>(node, call, std::move(reply.stream))};
}

api::UpgradeReply forwarded_console(NodeName owner, std::unique_ptr<host::ByteStream> stream) {
  return {std::string(console_protocol), std::make_unique<ForwardedConsole>(std::move(owner), std::move(stream))};
}

api::UpgradeReply open_console(Node& node, const VmName& vm, std::size_t replay_bytes) {
  return {std::string(console_protocol), std::make_unique<ViewerStream>(node.guests.console().attach(vm, replay_bytes))};
}

}  // namespace mcv
