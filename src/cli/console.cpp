// SPDX-License-Identifier: Apache-2.0
#include "cli/console.h"

#include <array>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <string_view>
#include <unistd.h>

#include "cli/interrupts.h"
#include "cli/session.h"

namespace mcv::cli {
namespace {

constexpr char detach_key = 0x1d;  // Ctrl-]

enum class End { left, closed, interrupted };

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool send_all(UnixStream& stream, std::string_view bytes) {
  boost::system::error_code error;
  while (!bytes.empty()) {
    bytes.remove_prefix(stream.write_some(bytes.data(), bytes.size(), error));
    if (error) return false;
  }
  return true;
}

/// Copies both ways. A keyboard's end (a pipe that closed) leaves the guest's output running.
End copy(UnixStream& stream, bool keyboard) {
  std::array<char, 16384> buffer{};
  std::array<pollfd, 2> watched{pollfd{stream.descriptor(), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
  while (true) {
    if (wait(watched, std::chrono::milliseconds(-1)) == Waited::interrupted) return End::interrupted;
    if (watched[0].revents != 0) {
      boost::system::error_code error;
      const std::size_t count = stream.read_some(buffer.data(), buffer.size(), error);
      if (error == boost::asio::error::interrupted) return End::interrupted;
      if (error) return End::closed;
      if (!write_all(STDOUT_FILENO, std::string_view(buffer.data(), count))) return End::closed;
    }
    if (watched[1].revents != 0) {
      const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (count <= 0) {
        watched[1].fd = -1;
        watched[1].revents = 0;
        if (keyboard) return End::left;
        continue;
      }
      std::string_view typed(buffer.data(), static_cast<std::size_t>(count));
      const std::size_t leave = keyboard ? typed.find(detach_key) : std::string_view::npos;
      if (!send_all(stream, typed.substr(0, leave))) return End::closed;
      if (leave != std::string_view::npos) return End::left;
    }
  }
}

}  // namespace

Result<int> run_console(Session& session, const std::string& vm, std::uint64_t replay) {
  MCV_TRY(const std::string target, session.target("GET", "/v1/vms/{name}/console", {vm}));
  Result<RawStream> raw = session.client().upgrade(fmt::format("{}?replay={}", target, replay), "mcv-console");
  if (!raw.ok()) return session.with_suggestion(std::move(raw).error(), Completes::vm, vm);
  const bool keyboard = session.terminal().input;
  if (keyboard && !session.globals().quiet) session.err() << fmt::format("Console of {}; Ctrl-] leaves it.\n", vm) << std::flush;
  End end = End::closed;
  {
    InterruptGuard guard;
    std::optional<TerminalMode> mode;
    if (keyboard) mode.emplace(STDIN_FILENO, TerminalMode::Kind::raw);
    if (write_all(STDOUT_FILENO, raw->first)) end = copy(raw->stream, keyboard);
  }
  if (!session.globals().quiet) {
    session.err() << (keyboard ? "\n" : "") << (end == End::closed ? fmt::format("The console of {} was closed.\n", vm) : fmt::format("Detached from {}; it goes on.\n", vm)) << std::flush;
  }
  return end == End::interrupted ? exit_left_running : 0;
}

}  // namespace mcv::cli
