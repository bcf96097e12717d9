// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

namespace mcv::cli {
namespace {

std::size_t width_of_terminal(int descriptor) {
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::clamp<std::size_t>(size.ws_col, 20, 1000);
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

}  // namespace

Terminal Terminal::detect() {
  Terminal terminal;
  terminal.input = isatty(STDIN_FILENO) == 1;
  terminal.output = isatty(STDOUT_FILENO) == 1;
  terminal.error = isatty(STDERR_FILENO) == 1;
  terminal.colour = terminal.output && colour_wanted();
  terminal.error_colour = terminal.error && colour_wanted();
  if (terminal.output) terminal.width = width_of_terminal(STDOUT_FILENO);
  if (terminal.error) terminal.error_width = width_of_terminal(STDERR_FILENO);
  return terminal;
}

TerminalMode::TerminalMode(int descriptor, Kind kind) : descriptor_(descriptor) {
  if (tcgetattr(descriptor, &before_) != 0) return;
  termios wanted = before_;
  if (kind == Kind::raw) {
    cfmakeraw(&wanted);
  } else {
    wanted.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    wanted.c_lflag |= ECHONL;
  }
  changed_ = tcsetattr(descriptor, TCSADRAIN, &wanted) == 0;
}

TerminalMode::~TerminalMode() {
  if (changed_) tcsetattr(descriptor_, TCSADRAIN, &before_);
}

}  // namespace mcv::cli
