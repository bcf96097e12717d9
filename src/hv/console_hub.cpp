// SPDX-License-Identifier: Apache-2.0
#include "hv/console_hub.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "cluster/core/task_group.h"
#include "cluster/host/wakeup.h"
#include "hv/console.h"

namespace mcv::hv {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t viewer_piece = 32 * 1024;
constexpr std::size_t log_piece = 128 * 1024;
constexpr host::Duration log_interval = 500ms;
constexpr host::Duration connect_bound = 10s;
constexpr host::Duration drain_bound = 5s;  // the VMM's console thread must come to run once; it may have to wait for a CPU

}  // namespace

struct Console {
  Console(VmName name, asio::any_io_executor loop, host::Clock& clock_service, host::Files& file_service, host::Processes& process_service,
          host::UnixSockets& socket_service, std::string log, std::string state, ConsoleLimits console_limits)
      : vm(std::move(name)),
        executor(std::move(loop)),
        clock(clock_service),
        files(file_service),
        processes(process_service),
        sockets(socket_service),
        log_path(std::move(log)),
        state_path(std::move(state)),
        limits(console_limits),
        ring(console_limits.ring_bytes),
        changed(executor),
        typed(executor) {}

  struct Viewer {
    std::uint64_t position = 0;
    std::uint64_t runs = 0;  ///< runs of the VMM that had ended when it came
  };

  const VmName vm;
  asio::any_io_executor executor;
  host::Clock& clock;
  host::Files& files;
  host::Processes& processes;
  host::UnixSockets& sockets;
  const std::string log_path;
  const std::string state_path;
  const ConsoleLimits limits;

  ConsoleRing ring;
  host::Wakeup changed;  ///< output, connection or the end of a run
  host::Wakeup typed;
  ConsoleSource source;
  bool open = false;
  bool connected = false;
  std::uint64_t runs_ended = 0;
  std::shared_ptr<host::ByteStream> stream;
  std::string input;
  std::map<std::uint64_t, Viewer> viewers;
  std::uint64_t next_viewer = 1;
  /// Ring position at which the VMM's spool begins; before 0 when the ring was refilled after a restart.
  std::int64_t spool_begin = 0;
  std::uint64_t logged = 0;  ///< ring position up to which the log file holds everything
  std::size_t log_size = 0;
  bool spool_is_due = false;  ///< to be emptied
  std::shared_ptr<TaskGroup> reading;  ///< both from `open` until `stop` has joined them
  std::shared_ptr<TaskGroup> logging;

  void push(std::string_view bytes) {
    ring.push(bytes);
    changed.notify();
  }
  /// Text of ours in the stream: the spool does not have it.
  void push_note(const std::string& note) {
    const std::string text = fmt::format("\r\n[mcv: {}]\r\n", note);
    spool_begin += static_cast<std::int64_t>(text.size());
    push(text);
  }
  std::uint64_t seen_of_spool(std::uint64_t position) const {
    const std::int64_t seen = static_cast<std::int64_t>(position) - spool_begin;
    return seen > 0 ? static_cast<std::uint64_t>(seen) : 0;
  }
};

namespace {

using ConsolePointer = std::shared_ptr<Console>;

asio::awaitable<void> append_to_log(ConsolePointer console, std::string bytes) {
  if (console->log_size + bytes.size() > console->limits.log_bytes) {
    Result<std::string> old = co_await console->files.read(console->log_path);
    if (old.ok()) {
      Status moved = co_await console->files.write_durably(console->log_path + ".1", std::move(*old), 0640);
      Status emptied = co_await console->files.remove(console->log_path);
      static_cast<void>(moved);
      static_cast<void>(emptied);
    }
    console->log_size = 0;
  }
  console->log_size += bytes.size();
  // A full disk must not disturb the guest or its viewers; the ring still has the text.
  Status written = co_await console->files.append(console->log_path, std::move(bytes), 0640);
  static_cast<void>(written);
}

asio::awaitable<void> note_spool_position(ConsolePointer console) {
  if (!console->source.spool.has_value()) co_return;
  std::string text = fmt::format("{}\n", console->seen_of_spool(console->logged));
  Status written = co_await console->files.write_durably(console->state_path, std::move(text), 0600);
  static_cast<void>(written);
}

asio::awaitable<void> flush_log(ConsolePointer console) {
  if (console->logged == console->ring.end()) co_return;
  while (console->logged != console->ring.end()) {
    ConsoleRing::Piece piece = console->ring.read(console->logged, log_piece);
    if (piece.skipped != 0) piece.bytes.insert(0, fmt::format("\n[mcv: {} bytes missing in this log]\n", piece.skipped));
    console->logged = piece.next;
    co_await append_to_log(console, std::move(piece.bytes));
  }
  co_await note_spool_position(console);
}

asio::awaitable<void> empty_spool(ConsolePointer console) {
  host::Command command;
  command.argv = {"truncate", "--no-create", "--size=0", *console->source.spool};
  Result<host::ProcessResult> done = co_await console->processes.run(std::move(command));
  if (!done.ok() || !done->ok()) co_return;
  console->spool_begin = static_cast<std::int64_t>(console->ring.end());
  co_await note_spool_position(console);
}

// What the guest printed while nobody was attached.
asio::awaitable<void> catch_up(ConsolePointer console) {
  if (!console->source.spool.has_value()) co_return;
  Result<std::string> spool = co_await console->files.read(*console->source.spool);
  if (!spool.ok() && spool.error().code() == ErrorCode::not_found) co_return;
  if (!spool.ok()) {
    // Longer than whole files may be: its end is what matters.
    host::Command tail;
    tail.argv = {"tail", fmt::format("--bytes={}", console->limits.ring_bytes), *console->source.spool};
    spool = co_await host::run_ok(console->processes, std::move(tail));
    if (!spool.ok()) co_return;
    console->push(*spool);
    console->spool_is_due = true;
    co_return;
  }
  const std::string_view missed = missed_output(*spool, console->seen_of_spool(console->ring.end()));
  if (!missed.empty()) console->push(missed);
  if (!spool->empty()) console->spool_is_due = true;  // by the log's writer, once the log has it
}

// cloud-hypervisor's console ends for good when a client goes away with bytes unread, as a killed mcvd does: the service
// manager holds a second copy of that connection, which goes on working. QEMU has its spool, and would wait for a reader.
bool is_to_be_kept(const Console& console) { return !console.source.spool.has_value(); }
std::string kept_name(const Console& console) { return "console-" + console.vm.str(); }

asio::awaitable<void> read_console(ConsolePointer console) {
  while (console->open) {
    std::unique_ptr<host::ByteStream> kept = console->sockets.take_kept(kept_name(*console));
    Result<std::unique_ptr<host::ByteStream>> opened = std::move(kept);
    if (!*opened) opened = co_await console->sockets.connect(console->source.socket);
    if (opened.ok()) {
      const std::shared_ptr<host::ByteStream> stream(std::move(*opened));
      console->stream = stream;
      if (is_to_be_kept(*console)) console->sockets.keep(kept_name(*console), *stream);
      co_await catch_up(console);
      console->connected = true;
      console->changed.notify();
      console->typed.notify();
      while (true) {
        Result<std::string> bytes = co_await stream->read_some();
        if (!bytes.ok() || bytes->empty()) break;
        console->push(*bytes);
      }
      console->connected = false;
      console->stream.reset();
      stream->close();
      console->changed.notify();
    }
    if (!console->open) co_return;
    // cloud-hypervisor closes and binds again when the guest reboots.
    co_await console->clock.sleep_for(console->limits.reconnect);
  }
}

asio::awaitable<void> write_console(ConsolePointer console) {
  while (console->open) {
    if (console->input.empty() || !console->stream) {
      co_await console->typed.wait();
      continue;
    }
    const std::shared_ptr<host::ByteStream> stream = console->stream;
    std::string bytes = std::exchange(console->input, {});
    Status written = co_await stream->write(std::move(bytes));
    // Keys that did not arrive are lost, as on a cable that was pulled.
    static_cast<void>(written);
  }
}

// The only writer of the log and the only one to empty the spool.
asio::awaitable<void> keep_log(ConsolePointer console) {
  while (console->open) {
    if (console->logged == console->ring.end() && !console->spool_is_due) {
      co_await console->changed.wait();
      continue;
    }
    const host::Instant due = console->clock.now() + log_interval;
    while (console->open && console->clock.now() < due) {
      const host::Duration left = due - console->clock.now();
      co_await console->changed.wait_for(console->clock, left);
    }
    co_await flush_log(console);
    const bool is_long = console->seen_of_spool(console->logged) > console->limits.spool_bytes;
    if (console->connected && console->source.spool.has_value() && (is_long || console->spool_is_due)) co_await empty_spool(console);
    console->spool_is_due = false;
  }
  co_await flush_log(console);
}

std::uint64_t parse_position(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

asio::awaitable<std::string> read_logs(ConsolePointer console) {
  std::string text;
  for (const char* ending : {".1", ""}) {
    Result<std::string> part = co_await console->files.read(console->log_path + ending);
    if (part.ok()) text += *part;
  }
  co_return text;
}

// Gone from under its name in any case; kept if the disk has room.
asio::awaitable<void> put_logs_aside(ConsolePointer console, std::string directory) {
  std::string text = co_await read_logs(console);
  if (text.empty()) co_return;  // also when this is asked a second time
  Status made = co_await console->files.make_directory(directory, 0750);
  Status kept = co_await console->files.write_durably(fmt::format("{}/{}.log", directory, console->vm.str()), std::move(text), 0640);
  static_cast<void>(made);
  static_cast<void>(kept);
  for (const char* ending : {".1", ""}) {
    Status removed = co_await console->files.remove(console->log_path + ending);
    static_cast<void>(removed);
  }
}

// After a restart of mcvd: the log is what this daemon's ring would hold.
asio::awaitable<void> refill(ConsolePointer console) {
  std::string text = co_await read_logs(console);
  if (text.size() > console->limits.ring_bytes) text.erase(0, text.size() - console->limits.ring_bytes);
  console->push(text);
  Result<std::string> position = co_await console->files.read(console->state_path);
  const std::uint64_t seen = position.ok() ? parse_position(*position) : 0;
  console->spool_begin = static_cast<std::int64_t>(console->ring.end()) - static_cast<std::int64_t>(seen);
}

}  // namespace

ConsoleViewer::ConsoleViewer(std::shared_ptr<Console> console, std::uint64_t id) : console_(std::move(console)), id_(id) {}

ConsoleViewer::~ConsoleViewer() { console_->viewers.erase(id_); }

asio::awaitable<std::string> ConsoleViewer::next() {
  const ConsolePointer console = console_;
  const std::uint64_t id = id_;
  while (true) {
    const auto found = console->viewers.find(id);
    if (found == console->viewers.end()) co_return std::string();
    Console::Viewer& viewer = found->second;
    const std::uint64_t behind = console->ring.end() - viewer.position;
    std::uint64_t skipped = 0;
    if (behind > console->limits.viewer_bytes) {
      const std::uint64_t target = console->ring.before_end(console->limits.viewer_bytes);
      skipped = target > viewer.position ? target - viewer.position : 0;
      viewer.position += skipped;
    }
    ConsoleRing::Piece piece = console->ring.read(viewer.position, viewer_piece);
    viewer.position = piece.next;
    skipped += piece.skipped;
    if (skipped != 0) piece.bytes.insert(0, skip_notice(skipped));
    if (!piece.bytes.empty()) co_return std::move(piece.bytes);
    if (console->runs_ended > viewer.runs) co_return std::string();
    co_await console->changed.wait();
  }
}

Status ConsoleViewer::send(std::string bytes) {
  if (!console_->open) return Error(ErrorCode::guest_stopped, console_->vm.str() + " is not running").with_next("hvctl vm start " + console_->vm.str());
  if (console_->input.size() + bytes.size() > console_->limits.input_bytes)
    return Error(ErrorCode::busy, fmt::format("the guest {} does not read its console", console_->vm.str())).with_safe("nothing of this input was sent");
  console_->input += bytes;
  console_->typed.notify();
  return success();
}

ConsoleHub::ConsoleHub(asio::any_io_executor executor, host::Clock& clock, host::Files& files, host::Processes& processes,
                       host::UnixSockets& sockets, std::string log_directory, std::string state_directory, ConsoleLimits limits)
    : executor_(std::move(executor)),
      clock_(clock),
      files_(files),
      processes_(processes),
      sockets_(sockets),
      log_directory_(std::move(log_directory)),
      state_directory_(std::move(state_directory)),
      limits_(limits) {}

ConsoleHub::~ConsoleHub() = default;

std::string ConsoleHub::log_path(const VmName& vm) const { return fmt::format("{}/{}.log", log_directory_, vm.str()); }

std::shared_ptr<Console> ConsoleHub::console_of(const VmName& vm) {
  auto& console = consoles_[vm];
  if (!console)
    console = std::make_shared<Console>(vm, executor_, clock_, files_, processes_, sockets_, log_path(vm),
                                        fmt::format("{}/{}.console", state_directory_, vm.str()), limits_);
  return console;
}

asio::awaitable<Status> ConsoleHub::open(VmName vm, ConsoleSource source, bool fresh) {
  const ConsolePointer console = console_of(vm);
  if (console->open) co_return success();
  if (console->reading) co_await stop(console, std::string());  // an end that was cut off
  MCV_CO_CHECK(co_await make_directories());
  console->source = std::move(source);
  console->input.clear();
  if (fresh) {
    Status removed = co_await files_.remove(console->state_path);
    static_cast<void>(removed);
    console->spool_begin = static_cast<std::int64_t>(console->ring.end());
  } else {
    co_await refill(console);
    console->logged = console->ring.end();
  }
  Result<std::string> log = co_await files_.read(console->log_path);
  console->log_size = log.ok() ? log->size() : 0;
  console->open = true;
  console->reading = std::make_shared<TaskGroup>(executor_);
  console->logging = std::make_shared<TaskGroup>(executor_);
  console->reading->spawn(read_console(console));
  console->reading->spawn(write_console(console));
  console->logging->spawn(keep_log(console));
  const host::Instant deadline = clock_.now() + connect_bound;
  while (!console->connected && console->open) {
    const host::Instant now = clock_.now();
    if (now >= deadline) co_return Error(ErrorCode::daemon_unreachable, fmt::format("the console of {} does not answer", vm.str()));
    co_await console->changed.wait_for(clock_, deadline - now);
  }
  co_return success();
}

asio::awaitable<Status> ConsoleHub::make_directories() {
  MCV_CO_CHECK(co_await files_.make_directory(log_directory_, 0750));
  co_return co_await files_.make_directory(state_directory_, 0755);
}

asio::awaitable<void> ConsoleHub::recover(VmName vm, ConsoleSource source) {
  const ConsolePointer console = console_of(vm);
  if (console->open || console->ring.end() != 0) co_return;  // this daemon read it
  Status made = co_await make_directories();
  if (!made.ok()) co_return;
  console->source = std::move(source);
  co_await refill(console);
  console->logged = console->ring.end();
  co_await catch_up(console);
  console->spool_is_due = false;  // it goes with the directory of the VMM
}

asio::awaitable<void> ConsoleHub::close(VmName vm, std::string last_note) {
  const auto found = consoles_.find(vm);
  if (found == consoles_.end()) co_return;
  const ConsolePointer console = found->second;
  // The VMM is gone, so the socket ends after what is still in it.
  const host::Instant deadline = clock_.now() + drain_bound;
  while (console->connected && clock_.now() < deadline) co_await console->changed.wait_for(clock_, deadline - clock_.now());
  co_await stop(console, std::move(last_note));
}

// May be cut off at any await and called again: only who has joined the tasks declares the end.
asio::awaitable<void> ConsoleHub::stop(std::shared_ptr<Console> console, std::string last_note) {
  console->open = false;
  const std::shared_ptr<TaskGroup> reading = console->reading;
  if (reading) {
    if (console->stream) {
      // Not simply closed: see is_to_be_kept. The VMM hangs up in turn, after the last byte it had for us. (A guest of
      // cloud-hypervisor v53 reads a zero byte at that moment; the first line typed after a restart of mcvd may begin with it.)
      console->stream->finish_writing();
      const host::Instant deadline = clock_.now() + drain_bound;
      while (console->connected && clock_.now() < deadline) co_await console->changed.wait_for(clock_, deadline - clock_.now());
    }
    const bool hung_up = !console->connected;
    console->connected = false;
    reading->cancel();
    co_await reading->join();
    console->stream.reset();
    console->changed.notify();
    // Otherwise the copy stays, and the next daemon goes on with it.
    if (hung_up) console->sockets.release(kept_name(*console));
    const std::shared_ptr<TaskGroup> logging = console->logging;
    co_await logging->join();
  }
  // After the guest's last byte and before the end that viewers are told: whoever looks reads why it ended.
  if (!last_note.empty()) console->push_note(last_note);
  co_await flush_log(console);
  if (reading && reading == console->reading) {
    console->reading.reset();
    console->logging.reset();
    ++console->runs_ended;
  }
  console->changed.notify();
}

asio::awaitable<void> ConsoleHub::forget(VmName vm) {
  co_await close(vm);
  // Also of a console that an earlier daemon had open: its file outlives it.
  const ConsolePointer console = console_of(vm);
  consoles_.erase(vm);
  co_await put_logs_aside(console, log_directory_ + "/deleted");
  Status removed = co_await files_.remove(console->state_path);
  static_cast<void>(removed);
}

asio::awaitable<void> ConsoleHub::close_all() {
  std::vector<ConsolePointer> all;
  for (const auto& [vm, console] : consoles_) all.push_back(console);
  for (const ConsolePointer& console : all) {
    if (console->reading) co_await stop(console, std::string());
  }
}

std::unique_ptr<ConsoleViewer> ConsoleHub::attach(const VmName& vm, std::size_t replay_bytes) {
  const ConsolePointer console = console_of(vm);
  const std::uint64_t id = console->next_viewer++;
  const std::size_t replay = std::min(replay_bytes, limits_.viewer_bytes);
  console->viewers[id] = Console::Viewer{console->ring.before_end(replay), console->runs_ended};
  return std::make_unique<ConsoleViewer>(console, id);
}

void ConsoleHub::note(const VmName& vm, const std::string& text) { console_of(vm)->push_note(text); }

}  // namespace mcv::hv
