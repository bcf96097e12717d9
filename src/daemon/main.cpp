// SPDX-License-Identifier: Apache-2.0
// mcvd: options, the real Host, the loop, signals. No logic.
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "cluster/core/task_group.h"
#include "daemon/actions/step_hold.h"
#include "daemon/authority/fence_desk.h"
#include "daemon/config.h"
#include "daemon/host/corosync/cpg_channel.h"
#include "daemon/host/real_host.h"
#include "daemon/host/sqlite/sqlite_store.h"
#include "daemon/idle_memory.h"
#include "daemon/logging.h"
#include "daemon/node/node.h"
#include "daemon/routes/api.h"
#include "daemon/server/unix_http_server.h"
#include "daemon/server/unix_line_server.h"
#include "daemon/service_notifier.h"
#include "storage/drbd/helper_talk.h"

namespace mcv {
namespace {

namespace asio = boost::asio;

struct Options {
  std::string config_file = "/etc/mcv/mcvd.toml";
  int verbosity = 0;
  bool show_version = false;
  bool trial_format = false;  ///< for tests: see abilities.h
};

Result<Options> parse_options(int argc, char** argv) {
  namespace po = boost::program_options;
  Options options;
  po::options_description description("mcvd, the daemon of mcv");
  description.add_options()("help,h", "show this")("version", "show the version")(
      "config,c", po::value(&options.config_file), "configuration file")("verbose,v", "log every command that is run (-vv: more)");
  // Not for operators, so not in the help: a configuration that was raised to it is readable with it only.
  po::options_description hidden;
  hidden.add_options()("trial-format", po::bool_switch(&options.trial_format));
  po::options_description all;
  all.add(description).add(hidden);
  // -vv and -vvv are words to program_options, so they are counted by hand.
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.size() > 1 && word.find_first_not_of('v', 1) == std::string::npos && word[0] == '-') options.verbosity += static_cast<int>(word.size()) - 1;
    else if (word == "--verbose") ++options.verbosity;
    else words.push_back(word);
  }
  try {
    po::variables_map values;
    po::store(po::command_line_parser(words).options(all).style(po::command_line_style::unix_style & ~po::command_line_style::allow_guessing).run(), values);
    po::notify(values);
    if (values.contains("help")) {
      std::ostringstream text;
      text << description;
      fmt::print("{}", text.str());
      std::exit(0);
    }
    options.show_version = values.contains("version");
  } catch (const po::error& error) {
    return Error(ErrorCode::bad_request, error.what()).with_next("mcvd --help");
  }
  return options;
}

class Daemon {
 public:
  Daemon(asio::io_context& loop, DaemonConfig config, Abilities abilities)
      : loop_(loop), config_(std::move(config)), abilities_(std::move(abilities)), tasks_(loop.get_executor()), group_(loop.get_executor()) {}

  Status open() {
    const auto executor = loop_.get_executor();
    MCV_TRY(real_, host::RealHost::make(executor, config_.key_file()));
    host::SqliteStoreOptions store;
    store.path = config_.store_file();
    MCV_TRY(store_, host::SqliteStore::open(executor, std::move(store)));
    host_.emplace(real_->host(*store_, group_));
    NodeSettings settings;
    settings.version = MCV_VERSION;
    settings.abilities = abilities_;
    settings.peer_port = config_.peer_port;
    settings.state_directory = config_.state_directory;
    settings.guests.qemu = config_.qemu;
    settings.guests.cloud_hypervisor = config_.cloud_hypervisor;
    settings.guests.run_directory = config_.run_directory;
    settings.guests.log_directory = config_.console_directory;
    settings.guests.user = config_.guest_user;
    // The store cannot be trusted: start again and re-read. systemd does the starting; guests are services of their own.
    settings.on_failure = [](Error error) {
      spdlog::critical("{} ({})", error.to_text(), to_text(error.code()));
      std::_Exit(70);
    };
    if (const char* file = std::getenv(step_hold_variable)) {
      spdlog::warn("{}: this mcvd is under test, {} may stop its steps", step_hold_variable, file);
      settings.wrap_action = [path = std::string(file)](host::Host& host, const std::string& name, std::unique_ptr<Action> action) {
        return hold_for_test(host, path, name, std::move(action));
      };
    }
    node_ = std::make_unique<Node>(*host_, std::move(settings));
    api_ = std::make_unique<Api>(*node_);
    server::ServerOptions options;
    options.path = config_.socket;
    // Everybody may ask; what is answered is judged by who the socket says it is.
    options.mode = 0666;
    options.connection_limit = config_.client_limit;
    auto answerer = [this](api::ApiCall call, std::string target) { return api_->answer(std::move(call), std::move(target)); };
    server_ = std::make_unique<server::UnixHttpServer>(executor, std::move(options), std::move(answerer));
    auto fence = [this](std::string line) { return answer_helper(std::move(line)); };
    helper_ = std::make_unique<server::UnixLineServer>(executor, drbd::helper_request_socket(), std::move(fence));
    // What happened is in events2 as well: the datagram only says that it is time to look.
    auto event = [this](std::string) { node_->authority.look_soon(); };
    events_ = std::make_unique<server::UnixDatagramReceiver>(executor, drbd::helper_event_socket(), std::move(event));
    return success();
  }

  void run() {
    tasks_.spawn(serve());
    tasks_.spawn(wait_for_signal());
    tasks_.spawn(give_back_memory(&real_->clock()));
  }

  int exit_code() const { return exit_code_; }

 private:
  asio::awaitable<std::string> answer_helper(std::string line) { co_return co_await answer_drbd_helper(*node_, std::move(line)); }

  /// Without it the kernel gets no answer: writes stay held, which is safe, and local guests are not concerned.
  void listen_for_drbd() {
    const auto warn = [](const Status& status) {
      if (!status.ok()) spdlog::error("DRBD's questions cannot be answered: {}", status.error().to_text());
    };
    warn(helper_->start());
    warn(events_->start());
  }

  asio::awaitable<void> serve() {
    auto started = co_await node_->start();
    if (started.ok()) started = server_->start();
    if (started.ok()) listen_for_drbd();
    if (!started.ok()) {
      spdlog::critical("cannot start ({}): {}", to_text(started.error().code()), started.error().to_text());
      exit_code_ = exit_code_of(started.error().kind());
      loop_.stop();
      co_return;
    }
    notifier_.ready(fmt::format("{} serves {}", node_->self().str(), config_.socket));
    spdlog::info("mcvd {} on {} serves {}", MCV_VERSION, node_->self().str(), config_.socket);
    co_await notifier_.feed_watchdog(&real_->clock());
  }

  asio::awaitable<void> wait_for_signal() {
    asio::signal_set signals(loop_, SIGTERM, SIGINT);
    const int signal = co_await signals.async_wait(asio::use_awaitable);
    spdlog::info("stopping on signal {}; guests run on", signal);
    notifier_.stopping();
    co_await server_->stop(std::chrono::seconds(2));
    co_await helper_->stop();
    co_await events_->stop();
    co_await node_->stop();
    co_await real_->stop();
    loop_.stop();
  }

  asio::io_context& loop_;
  DaemonConfig config_;
  Abilities abilities_;
  TaskGroup tasks_;
  ServiceNotifier notifier_;
  host::CpgChannel group_;
  std::unique_ptr<host::RealHost> real_;
  std::unique_ptr<host::SqliteStore> store_;
  std::optional<host::Host> host_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<server::UnixHttpServer> server_;
  std::unique_ptr<server::UnixLineServer> helper_;
  std::unique_ptr<server::UnixDatagramReceiver> events_;
  int exit_code_ = 0;
};

int fail(const Error& error) {
  fmt::print(stderr, "mcvd: ({}) {}\n", to_text(error.code()), error.to_text());
  return exit_code_of(error.kind());
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options.ok()) return fail(options.error());
  if (options->show_version) {
    fmt::print("mcvd {}\n", MCV_VERSION);
    return 0;
  }
  auto config = load_daemon_config(options->config_file);
  if (!config.ok()) return fail(config.error());
  start_logging(std::max(config->verbosity, options->verbosity));
  Abilities abilities;
  if (options->trial_format) {
    abilities.format = trial_format;
    spdlog::warn("test option --trial-format: format {} of the configuration is known, which no released build reads", trial_format);
  }
  asio::io_context loop(1);
  int exit_code = 0;
  {
    Daemon daemon(loop, std::move(*config), std::move(abilities));
    if (auto opened = daemon.open(); !opened.ok()) return fail(opened.error());
    daemon.run();
    loop.run();
    exit_code = daemon.exit_code();
    // What still hangs on the loop refers to the daemon's parts: the process ends here, before they do.
    std::fflush(nullptr);
    std::_Exit(exit_code);
  }
}

}  // namespace
}  // namespace mcv

int main(int argc, char** argv) { return mcv::run(argc, argv); }
