// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/process_run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace mcv::host {

namespace asio = boost::asio;

namespace {

constexpr std::size_t output_limit = std::size_t{16} << 20;
/// How long a killed process may take to be gone before we stop watching it (it may wait inside the kernel).
constexpr std::chrono::seconds kill_grace{2};

}  // namespace

ProcessRun::ProcessRun(asio::any_io_executor loop, std::unique_ptr<ChildProcess> child, Command command)
    : child_(std::move(child)), command_(std::move(command)), timer_(loop) {}

void ProcessRun::begin(Answer<Result<ProcessResult>> answer) {
  answer_.emplace(std::move(answer));
  wait_output(child_->output(), result_.out);
  wait_output(child_->error_output(), result_.err);
  if (child_->input().is_open()) wait_input();
  wait_exit();
  wait_deadline();
}

void ProcessRun::cancel() {
  if (!answer_.has_value()) return;
  spdlog::debug("cancelled: {}", to_shell_line(command_.argv));
  timer_.cancel();
  child_.reset();  // kills it and cancels every wait
  auto answer = std::move(*answer_);
  answer_.reset();
  answer.abort();
}

void ProcessRun::wait_output(Stream& stream, std::string& text) {
  stream.async_wait(Stream::wait_read, [self = shared_from_this(), &stream, &text](const boost::system::error_code& code) {
    if (code || !self->answer_.has_value()) return;
    if (self->drain(stream, text)) self->wait_output(stream, text);
  });
}

bool ProcessRun::drain(Stream& stream, std::string& text) {
  std::array<char, 65536> chunk;
  while (true) {
    const ssize_t got = ::read(stream.native_handle(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    if (text.size() + static_cast<std::size_t>(got) > output_limit) {
      too_much_ = true;
      child_->kill_group();
      return false;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

void ProcessRun::wait_input() {
  if (written_ == command_.input.size()) {
    child_->input().close();  // end of file for the tool
    return;
  }
  child_->input().async_wait(Stream::wait_write, [self = shared_from_this()](const boost::system::error_code& code) {
    if (code || !self->answer_.has_value()) return;
    const std::string& input = self->command_.input;
    const ssize_t put = ::write(self->child_->input().native_handle(), input.data() + self->written_, input.size() - self->written_);
    if (put > 0) self->written_ += static_cast<std::size_t>(put);
    // A tool may stop reading early (EPIPE); what it thinks of that is its exit code.
    else if (put < 0 && errno != EAGAIN && errno != EINTR) self->written_ = input.size();
    self->wait_input();
  });
}

void ProcessRun::wait_exit() {
  child_->exit_event().async_wait(Stream::wait_read, [self = shared_from_this()](const boost::system::error_code& code) {
    if (code || !self->answer_.has_value()) return;
    const std::optional<int> exit_code = self->child_->reap();
    if (!exit_code.has_value()) return self->wait_exit();
    // What it wrote is in the pipes now. Their end is not waited for: a service it started may hold them open.
    if (!self->too_much_) self->drain(self->child_->output(), self->result_.out);
    if (!self->too_much_) self->drain(self->child_->error_output(), self->result_.err);
    self->result_.exit_code = *exit_code;
    self->finish(std::move(self->result_));
  });
}

void ProcessRun::wait_deadline() {
  timer_.expires_after(past_deadline_ ? std::chrono::milliseconds(kill_grace) : command_.deadline);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& code) {
    if (code || !self->answer_.has_value()) return;
    self->on_deadline();
  });
}

void ProcessRun::on_deadline() {
  if (!past_deadline_) {
    past_deadline_ = true;
    child_->kill_group();
    wait_deadline();
    return;
  }
  finish(ProcessResult());  // it does not even die: it waits inside the kernel
}

void ProcessRun::finish(Result<ProcessResult> result) {
  timer_.cancel();
  const bool gone = child_->reap().has_value();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_);
  const std::string line = to_shell_line(command_.argv);
  if (past_deadline_) {
    const auto bound = std::chrono::duration<double>(command_.deadline).count();
    spdlog::debug("killed after {} ms: {}", took.count(), line);
    Error error(ErrorCode::timed_out, fmt::format("{}: did not end within {:g} s and was killed", line, bound));
    if (!gone) error = Error(ErrorCode::timed_out, fmt::format("{}: did not end within {:g} s and does not react to SIGKILL: it waits inside the kernel", line, bound));
    result = std::move(error);
  } else if (too_much_) {
    spdlog::debug("killed for too much output after {} ms: {}", took.count(), line);
    result = Error(ErrorCode::bad_output, fmt::format("{}: wrote more than {} MiB and was killed", line, output_limit >> 20));
  } else {
    spdlog::debug("exit {} after {} ms: {}", result->exit_code, took.count(), line);
  }
  child_.reset();
  auto answer = std::move(*answer_);
  answer_.reset();
  answer.give(std::move(result));
}

}  // namespace mcv::host
