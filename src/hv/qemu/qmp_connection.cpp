// SPDX-License-Identifier: Apache-2.0
#include "hv/qemu/qmp_connection.h"

#include <fmt/format.h>
#include <utility>

namespace mcv::hv::qemu {

namespace asio = boost::asio;

namespace {
constexpr std::size_t longest_line = 4 << 20;
}

QmpConnection::QmpConnection(asio::any_io_executor executor, host::Clock& clock, std::shared_ptr<host::ByteStream> stream, OnEvent on_event,
                             std::function<void()> on_end)
    : clock_(clock), stream_(std::move(stream)), on_event_(std::move(on_event)), on_end_(std::move(on_end)), changed_(executor), tasks_(executor) {}

asio::awaitable<Result<std::shared_ptr<QmpConnection>>> QmpConnection::open(asio::any_io_executor executor, host::Clock& clock,
                                                                            host::UnixSockets& sockets, std::string path, host::Duration deadline,
                                                                            OnEvent on_event, std::function<void()> on_end) {
  MCV_CO_TRY(std::unique_ptr<host::ByteStream> stream, co_await sockets.connect(path));
  std::shared_ptr<host::ByteStream> shared(std::move(stream));
  auto connection = std::make_shared<QmpConnection>(executor, clock, std::move(shared), std::move(on_event), std::move(on_end));
  connection->tasks_.spawn(read_all(connection));
  Status greeted = co_await connection->wait_for_greeting(deadline);
  if (!greeted.ok()) {
    connection->close();
    co_return std::move(greeted).error();
  }
  Json no_arguments = Json::object();
  Result<Json> agreed = co_await connection->execute("qmp_capabilities", std::move(no_arguments), deadline);
  if (!agreed.ok()) {
    connection->close();
    co_return std::move(agreed).error();
  }
  co_return connection;
}

asio::awaitable<Status> QmpConnection::wait_for_greeting(host::Duration deadline) {
  const host::Instant end = clock_.now() + deadline;
  while (!greeted_) {
    if (!open_) co_return Error(ErrorCode::connection_lost, "QEMU hung up on its monitor");
    const host::Instant now = clock_.now();
    if (now >= end) co_return Error(ErrorCode::timed_out, "QEMU's monitor said nothing; another client may hold it");
    co_await changed_.wait_for(clock_, end - now);
  }
  co_return success();
}

asio::awaitable<Result<Json>> QmpConnection::execute(std::string command, Json arguments, host::Duration deadline) {
  if (!open_) co_return Error(ErrorCode::connection_lost, "QEMU hung up on its monitor");
  const auto self = shared_from_this();
  const std::uint64_t id = next_id_++;
  const host::Instant end = clock_.now() + deadline;
  answers_[id] = std::nullopt;
  std::string line = qmp_command(id, command, arguments);
  Status sent = co_await stream_->write(std::move(line));
  if (!sent.ok()) {
    answers_.erase(id);
    close();
    co_return std::move(sent).error().with_context("QMP " + command);
  }
  while (!answers_[id].has_value()) {
    const host::Instant now = clock_.now();
    if (!open_) answers_[id] = Result<Json>(Error(ErrorCode::connection_lost, fmt::format("QEMU ended before it answered {}", command)));
    else if (now >= end) answers_[id] = Result<Json>(Error(ErrorCode::timed_out, fmt::format("QEMU did not answer {} in time", command)));
    else co_await changed_.wait_for(clock_, end - now);
  }
  Result<Json> answer = std::move(*answers_[id]);
  answers_.erase(id);
  co_return answer;
}

void QmpConnection::close() {
  if (!open_) return;
  open_ = false;
  stream_->close();
  changed_.notify();
  if (on_end_) std::exchange(on_end_, nullptr)();
  on_event_ = nullptr;
}

void QmpConnection::take(QmpMessage message) {
  if (std::holds_alternative<QmpGreeting>(message)) greeted_ = true;
  if (const auto* event = std::get_if<QmpEvent>(&message); event != nullptr && on_event_) on_event_(*event);
  if (auto* reply = std::get_if<QmpReply>(&message)) {
    const auto waiting = answers_.find(reply->id);
    if (waiting != answers_.end()) waiting->second = Result<Json>(std::move(reply->value));
  }
  if (auto* failure = std::get_if<QmpFailure>(&message)) {
    const auto waiting = answers_.find(failure->id);
    if (waiting != answers_.end()) waiting->second = Result<Json>(Error(ErrorCode::vmm_failed, failure->text));
  }
  changed_.notify();
}

asio::awaitable<void> QmpConnection::read_all(std::shared_ptr<QmpConnection> self) {
  LineBuffer lines;
  const auto stream = self->stream_;
  while (self->open_) {
    Result<std::string> bytes = co_await stream->read_some();
    if (!bytes.ok() || bytes->empty()) break;
    for (const std::string& line : lines.feed(*bytes)) {
      Result<QmpMessage> message = parse_qmp(line);
      if (message.ok()) self->take(std::move(*message));
    }
    if (lines.pending() > longest_line) break;
  }
  self->close();
}

}  // namespace mcv::hv::qemu
