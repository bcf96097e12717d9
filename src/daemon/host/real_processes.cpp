// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/real_processes.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>

#include "daemon/host/process_run.h"

namespace mcv::host {

namespace asio = boost::asio;

namespace {

constexpr std::size_t line_limit = std::size_t{1} << 20;
constexpr std::size_t last_words_limit = 4096;

/// Keeps the end of what a long-lived tool writes to standard error, for the log line when it ends.
class LastWords : public std::enable_shared_from_this<LastWords> {
 public:
  void follow(asio::posix::stream_descriptor& stream) {
    stream.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this(), &stream](const boost::system::error_code& code) {
      if (code) return;
      std::array<char, 4096> chunk;
      const ssize_t got = ::read(stream.native_handle(), chunk.data(), chunk.size());
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
      if (got > 0) self->text_.append(chunk.data(), static_cast<std::size_t>(got));
      if (self->text_.size() > last_words_limit) self->text_.erase(0, self->text_.size() - last_words_limit);
      self->follow(stream);
    });
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

class RealLineStream : public LineStream {
 public:
  RealLineStream(std::unique_ptr<ChildProcess> child, Argv argv) : child_(std::move(child)), argv_(std::move(argv)) {
    last_words_->follow(child_->error_output());
  }

  asio::awaitable<Result<std::optional<std::string>>> next() override {
    while (true) {
      const std::size_t newline = pending_.find('\n', searched_);
      if (newline != std::string::npos) {
        std::string line = pending_.substr(0, newline);
        pending_.erase(0, newline + 1);
        searched_ = 0;
        co_return std::optional<std::string>(std::move(line));
      }
      searched_ = pending_.size();
      if (pending_.size() > line_limit) co_return Error(ErrorCode::bad_output, fmt::format("{}: wrote a line longer than 1 MiB", to_shell_line(argv_)));
      boost::system::error_code code;
      auto buffer = asio::buffer(chunk_);
      const std::size_t got = co_await child_->output().async_read_some(buffer, asio::redirect_error(asio::use_awaitable, code));
      if (code == asio::error::operation_aborted) throw boost::system::system_error(code);
      if (code) co_return end();
      pending_.append(chunk_.data(), got);
    }
  }

 private:
  /// A last line without its newline was cut off by the end: it is not delivered as if it were whole.
  Result<std::optional<std::string>> end() {
    if (!logged_) {
      const std::optional<int> exit_code = child_->reap();
      const std::string how = exit_code.has_value() ? fmt::format("exit {}", *exit_code) : "output closed";
      spdlog::debug("ended ({}): {}: {}", how, to_shell_line(argv_), last_words_->text());
      logged_ = true;
    }
    return std::optional<std::string>();
  }

  std::unique_ptr<ChildProcess> child_;
  Argv argv_;
  std::shared_ptr<LastWords> last_words_ = std::make_shared<LastWords>();
  std::array<char, 16384> chunk_{};
  std::string pending_;
  std::size_t searched_ = 0;
  bool logged_ = false;
};

}  // namespace

RealProcesses::RealProcesses(asio::any_io_executor loop, std::string search_path) : loop_(std::move(loop)), search_path_(std::move(search_path)) {
  ::signal(SIGPIPE, SIG_IGN);
}

asio::awaitable<Result<ProcessResult>> RealProcesses::run(Command command) {
  MCV_CO_TRY(auto child, ChildProcess::start(loop_, command.argv, search_path_, !command.input.empty()));
  auto run = std::make_shared<ProcessRun>(loop_, std::move(child), std::move(command));
  Begin<Result<ProcessResult>> begin = [run](Answer<Result<ProcessResult>> answer) {
    run->begin(std::move(answer));
    return [weak = std::weak_ptr<ProcessRun>(run)]() {
      if (const auto alive = weak.lock()) alive->cancel();
    };
  };
  run.reset();
  co_return co_await await_once(loop_, std::move(begin));
}

asio::awaitable<Result<std::unique_ptr<LineStream>>> RealProcesses::stream(Argv argv) {
  MCV_CO_TRY(auto child, ChildProcess::start(loop_, argv, search_path_, false));
  spdlog::debug("started: {}", to_shell_line(argv));
  std::unique_ptr<LineStream> lines = std::make_unique<RealLineStream>(std::move(child), std::move(argv));
  co_return lines;
}

}  // namespace mcv::host
