// SPDX-License-Identifier: Apache-2.0
#include "daemon/host/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "cluster/host/packages.h"
#include "daemon/host/descriptor.h"

namespace mcv::host {

namespace asio = boost::asio;

namespace {

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error(ErrorCode::io_error, fmt::format("pipe: {}", std::strerror(errno)));
  Pipe pipe;
  pipe.read_end = Descriptor(ends[0]);
  pipe.write_end = Descriptor(ends[1]);
  return pipe;
}

Result<std::string> find_program(const std::string& name, const std::string& search_path) {
  if (name.empty()) return program_missing(name, "has no name");
  if (name.front() == '/') return name;
  if (name.find('/') != std::string::npos) return program_missing(name, "is given by a relative path");
  std::size_t begin = 0;
  while (begin <= search_path.size()) {
    const std::size_t end = std::min(search_path.find(':', begin), search_path.size());
    const std::string candidate = search_path.substr(begin, end - begin) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    begin = end + 1;
  }
  return program_missing(name, fmt::format("is not installed (looked in {})", search_path));
}

/// posix_spawn's two objects, freed on every path.
struct SpawnSetup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  void prepare(int input, int output, int error_output) {
    if (input >= 0) posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    else posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, error_output, STDERR_FILENO);
    // Libraries open descriptors without close-on-exec; a tool that keeps one open holds a socket or a lock of ours.
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    // Without our terminal a tool asks nobody anything, and a deadline kills one whole group.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  }
};

int pidfd_of(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

std::optional<int> reap_pid(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0) return 255;  // taken by someone else: a defect
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace

ChildProcess::ChildProcess(asio::any_io_executor loop) : input_(loop), output_(loop), error_output_(loop), pidfd_(loop) {}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(asio::any_io_executor loop, const Argv& argv, const std::string& search_path,
                                                          bool with_input) {
  if (argv.empty()) return Error(ErrorCode::internal, "an empty command");
  for (const std::string& word : argv) {
    if (word.find('\0') != std::string::npos) return Error(ErrorCode::bad_request, "an argument holds a zero byte");
  }
  MCV_TRY(const std::string program, find_program(argv.front(), search_path));
  Pipe in;
  if (with_input) {
    MCV_TRY(in, make_pipe());
  }
  MCV_TRY(Pipe out, make_pipe());
  MCV_TRY(Pipe err, make_pipe());

  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::string path_variable = "PATH=" + search_path;
  std::string locale_variable = "LC_ALL=C.UTF-8";
  std::array<char*, 3> environment{path_variable.data(), locale_variable.data(), nullptr};

  SpawnSetup setup;
  setup.prepare(in.read_end.get(), out.write_end.get(), err.write_end.get());
  pid_t pid = -1;
  const int failure = ::posix_spawn(&pid, program.c_str(), &setup.actions, &setup.attributes, words.data(), environment.data());
  if (failure == ENOENT || failure == EACCES || failure == ENOEXEC || failure == ENOTDIR) return program_missing(argv.front(), std::strerror(failure));
  if (failure != 0) return Error(ErrorCode::io_error, fmt::format("start {}: {}", argv.front(), std::strerror(failure)));

  std::unique_ptr<ChildProcess> child(new ChildProcess(loop));
  child->pid_ = pid;
  const int pidfd = pidfd_of(pid);
  if (pidfd < 0) {
    const int code = errno;
    child->kill_group();
    ::waitpid(pid, nullptr, 0);
    child->exit_code_ = 255;
    return Error(ErrorCode::io_error, fmt::format("pidfd_open: {}", std::strerror(code)));
  }
  child->pidfd_.assign(pidfd);
  child->output_.assign(out.read_end.release());
  child->error_output_.assign(err.read_end.release());
  child->output_.native_non_blocking(true);
  child->error_output_.native_non_blocking(true);
  if (with_input) {
    child->input_.assign(in.write_end.release());
    child->input_.native_non_blocking(true);
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0 || reap().has_value()) return;
  kill_group();
  if (!pidfd_.is_open()) return;
  // A process in uninterruptible sleep ignores SIGKILL for a while; nobody waits for it here.
  auto event = std::make_shared<asio::posix::stream_descriptor>(std::move(pidfd_));
  const pid_t pid = pid_;
  event->async_wait(asio::posix::stream_descriptor::wait_read, [event, pid](const boost::system::error_code&) { reap_pid(pid); });
}

// The group id stays ours while the leader is not reaped, so it cannot hit a stranger.
void ChildProcess::kill_group() {
  if (pid_ > 0 && !exit_code_.has_value()) ::kill(-pid_, SIGKILL);
}

std::optional<int> ChildProcess::reap() {
  if (!exit_code_.has_value()) exit_code_ = reap_pid(pid_);
  return exit_code_;
}

}  // namespace mcv::host
