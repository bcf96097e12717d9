// SPDX-License-Identifier: Apache-2.0
#include "cli/join/prompt.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <span>
#include <unistd.h>

#include "cli/interrupts.h"
#include "cli/terminal.h"

namespace mcv::cli {
namespace {

/// The controlling terminal, closed at the end.
class ControllingTerminal {
 public:
  ControllingTerminal() : descriptor_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {}
  ~ControllingTerminal() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  ControllingTerminal(const ControllingTerminal&) = delete;
  ControllingTerminal& operator=(const ControllingTerminal&) = delete;
  bool ok() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  void show(const std::string& text) const {
    const ssize_t ignored = ::write(descriptor_, text.data(), text.size());
    static_cast<void>(ignored);  // a question that cannot be shown is answered by nobody
  }

 private:
  int descriptor_;
};

enum class LineEnd { line, end_of_file, too_long, interrupted };

/// Byte by byte: what follows the line belongs to somebody else, and no buffer keeps a copy.
LineEnd read_line(int descriptor, Secret& line) {
  while (true) {
    pollfd watched{descriptor, POLLIN, 0};
    if (wait(std::span(&watched, 1), std::chrono::milliseconds(-1)) == Waited::interrupted) return LineEnd::interrupted;
    char c = 0;
    const ssize_t count = ::read(descriptor, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return LineEnd::end_of_file;
    if (c == '\n') return LineEnd::line;
    if (!line.append(c)) return LineEnd::too_long;
  }
}

Error nobody_to_ask() {
  return Error(ErrorCode::not_confirmed, "this needs an answer, and there is no terminal to ask at").with_safe("nothing was changed on either node");
}

Result<Secret> ask(const std::string& question, bool echo) {
  const ControllingTerminal terminal;
  if (!terminal.ok()) return nobody_to_ask();
  InterruptGuard guard;
  Secret line;
  LineEnd end = LineEnd::line;
  {
    // Silent before the question is seen: whoever answers at once must not be echoed.
    std::optional<TerminalMode> mode;
    if (!echo) mode.emplace(terminal.descriptor(), TerminalMode::Kind::no_echo);
    terminal.show(question);
    end = read_line(terminal.descriptor(), line);
  }
  if (end == LineEnd::interrupted) {
    terminal.show("\n");
    return Error(ErrorCode::cancelled, "interrupted").with_safe("nothing was changed on either node");
  }
  if (end == LineEnd::too_long) return Error(ErrorCode::bad_request, "the answer is too long").with_safe("nothing was changed on either node");
  return line;
}

}  // namespace

bool can_prompt() { return ControllingTerminal().ok(); }

Result<Secret> prompt_secret(const std::string& question) { return ask(question, false); }

Result<bool> prompt_yes(const std::string& question) {
  MCV_TRY(const Secret answer, ask(question, true));
  return answer.view() == "yes";
}

Result<Secret> secret_from_stdin() {
  Secret line;
  const LineEnd end = read_line(STDIN_FILENO, line);
  if (end == LineEnd::too_long) return Error(ErrorCode::bad_request, "the first line of standard input is too long").with_safe("nothing was changed on either node");
  if (line.empty()) return Error(ErrorCode::bad_request, "standard input is empty").with_safe("nothing was changed on either node").with_next("pipe the text in, as one line");
  return line;
}

}  // namespace mcv::cli
