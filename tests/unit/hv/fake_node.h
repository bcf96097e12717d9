// SPDX-License-Identifier: Apache-2.0
// A node whose systemd, files, QEMU and cloud-hypervisor are models in this process, in virtual time. The production drivers
// talk to them as to the real ones: argument vectors, QMP, HTTP, cgroup files.
#pragma once

#include <boost/asio/io_context.hpp>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/task_group.h"
#include "cluster/host/clock.h"
#include "cluster/host/files.h"
#include "cluster/host/processes.h"
#include "cluster/host/streams.h"
#include "cluster/host/wakeup.h"

namespace mcv::hv::fake {

class Clock : public host::Clock {
 public:
  explicit Clock(boost::asio::any_io_executor loop) : loop_(std::move(loop)) {}
  host::Instant now() const override { return now_; }
  std::int64_t wall_seconds() const override { return 0; }
  boost::asio::awaitable<void> sleep_for(host::Duration duration) override;
  /// Goes to the next sleeper that is due by `limit` and wakes it; false when there is none (and it is `limit` then).
  bool advance(host::Instant limit);

 private:
  struct Sleeper;
  boost::asio::any_io_executor loop_;
  host::Instant now_{std::chrono::seconds(1)};
  std::list<std::shared_ptr<Sleeper>> sleepers_;
};

class Node;

/// The daemon's end of a socket.
class Stream : public host::ByteStream {
 public:
  struct State {
    explicit State(boost::asio::any_io_executor loop) : changed(std::move(loop)) {}
    std::string inbox;
    bool closed = false;
    bool kept = false;  ///< the service manager has a copy: our end closing is not the connection's end
    std::function<void(bool unread)> on_close;
    std::function<void(const std::string&)> on_write;
    host::Wakeup changed;
    void push(const std::string& bytes) {
      inbox += bytes;
      changed.notify();
    }
    void close() {
      closed = true;
      changed.notify();
    }
  };
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Stream() override { close(); }
  boost::asio::awaitable<Result<std::string>> read_some() override;
  boost::asio::awaitable<Status> write(std::string bytes) override;
  void finish_writing() override;
  void close() override;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
  bool open_ = true;
};

/// What a guest wrote to a disk.
struct Disk {
  std::uint64_t records = 0;
  std::set<std::string> writers;  ///< VMMs that wrote; more than one alive at a time is a double run
  bool mixed = false;
};

class Vmm : public std::enable_shared_from_this<Vmm> {
 public:
  Vmm(Node& node, std::string vm, host::Argv argv);
  bool is_qemu() const { return qemu_; }
  bool is_off() const { return guest_ == Guest::off; }
  bool alive = true;
  bool started = true;           ///< false: QEMU said `last_words` and ended
  int signal = 0;                ///< what it died of
  std::string last_words;
  std::string disk;
  std::int64_t pid = 0;
  int questions = 0;  ///< query-status and vm.info
  /// The guest resets itself.
  void reset();

  std::shared_ptr<Stream::State> connect(const std::string& name);
  host::HttpResponse http(const host::HttpRequest& request);
  void terminate(bool by_kill);

 private:
  enum class Guest { none, stopped, running, off };
  void take_options(const std::string& cmdline);
  void boot();
  void print(const std::string& text);
  void type(const std::string& bytes);
  void press();
  void power_off();
  void event(const std::string& qmp, const std::string& source, const std::string& ch);
  void answer_qmp(const std::string& bytes);
  static boost::asio::awaitable<void> live(std::shared_ptr<Vmm> self, int run);
  static boost::asio::awaitable<void> turn_off_soon(std::shared_ptr<Vmm> self, int run);

  Node& node_;
  std::string vm_;
  bool qemu_ = false;
  Guest guest_ = Guest::none;
  int run_ = 0;  ///< counts boots: an older guest loop ends itself
  std::string guest_name_ = "guest";
  bool ignores_power_ = false;
  std::string typed_;
  std::string qmp_input_;
  std::string unread_;  ///< cloud-hypervisor's ring
  bool console_is_dead_ = false;  ///< cloud-hypervisor: a client went away with bytes unread; until the next reboot
  std::shared_ptr<Stream::State> console_;
  std::shared_ptr<Stream::State> monitor_;
};

class Files : public host::Files {
 public:
  explicit Files(Node& node) : node_(node) {}
  boost::asio::awaitable<Result<std::string>> read(std::string path) override;
  boost::asio::awaitable<Status> write_durably(std::string path, std::string text, unsigned mode) override;
  boost::asio::awaitable<Status> write_in_place(std::string path, std::string text) override;
  boost::asio::awaitable<Status> remove(std::string path) override;
  boost::asio::awaitable<Result<bool>> exists(std::string path) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string directory) override;
  boost::asio::awaitable<Status> make_directory(std::string path, unsigned mode) override;
  boost::asio::awaitable<Result<std::string>> sha256(std::string path) override;
  std::map<std::string, std::string> texts;

 private:
  Node& node_;
};

class Processes : public host::Processes {
 public:
  explicit Processes(Node& node) : node_(node) {}
  boost::asio::awaitable<Result<host::ProcessResult>> run(host::Command command) override;
  boost::asio::awaitable<Result<std::unique_ptr<host::LineStream>>> stream(host::Argv argv) override;
  std::vector<host::Argv> ran;

 private:
  host::ProcessResult systemctl(const host::Argv& argv);
  host::ProcessResult systemd_run(const host::Argv& argv);
  Node& node_;
};

class Sockets : public host::UnixSockets {
 public:
  explicit Sockets(Node& node) : node_(node) {}
  boost::asio::awaitable<Result<std::unique_ptr<host::ByteStream>>> connect(std::string path) override;
  boost::asio::awaitable<Result<host::HttpResponse>> http(std::string path, host::HttpRequest request, std::chrono::milliseconds deadline) override;
  Status send_datagram(const std::string& path, const std::string& bytes) override;
  void keep(const std::string& name, host::ByteStream& stream) override;
  void release(const std::string& name) override;
  std::unique_ptr<host::ByteStream> take_kept(const std::string& name) override;
  std::map<std::string, std::shared_ptr<Stream::State>> kept;

 private:
  Vmm* vmm_of(const std::string& path, std::string& name) const;
  Node& node_;
};

class Node {
 public:
  Node();
  ~Node();
  bool drive(const std::function<bool()>& done, host::Duration at_most);
  /// The unit's VMM, alive or a failed one that was not cleared.
  Vmm* find(const std::string& vm) const;

  boost::asio::io_context loop;
  Clock clock;
  Files files;
  Processes processes;
  Sockets sockets;
  TaskGroup guests;
  std::map<std::string, std::shared_ptr<Vmm>> vmms;
  std::map<std::string, Disk> disks;
  std::int64_t next_pid = 1000;
  bool ignores_kill = false;  ///< processes in D state
  bool systemd_run_fails_late = false;  ///< the service begins, and the tool fails all the same
  bool systemd_is_stuck = false;   ///< `systemctl kill` does nothing until its deadline
  bool systemd_is_silent = false;  ///< `systemctl show` gives no answer
  bool monitors_are_silent = false;  ///< no VMM's monitor or API takes a connection
  bool cgroups_are_unreadable = false;
  int vanishing_cgroups = 0;  ///< so many reads fall between the open and the end of a cgroup
  bool is_too_busy = false;        ///< for `--version` within its deadline
};

}  // namespace mcv::hv::fake
