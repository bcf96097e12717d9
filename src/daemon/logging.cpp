// SPDX-License-Identifier: Apache-2.0
#include "daemon/logging.h"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/log/event_log.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace mcv {
namespace {

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return LOG_CRIT;
    case spdlog::level::err: return LOG_ERR;
    case spdlog::level::warn: return LOG_WARNING;
    case spdlog::level::info: return LOG_INFO;
    case spdlog::level::trace: case spdlog::level::debug: case spdlog::level::off: case spdlog::level::n_levels: break;
  }
  return LOG_DEBUG;
}

void send_to_journal(const std::vector<std::string>& fields) {
  std::vector<iovec> vectors;
  for (const std::string& field : fields) {
    iovec vector{};
    vector.iov_base = const_cast<char*>(field.data());
    vector.iov_len = field.size();
    vectors.push_back(vector);
  }
  // A journal that does not take it is no reason to stop: there is nowhere to say so.
  static_cast<void>(sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size())));
}

class JournalSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    send_to_journal({"MESSAGE=" + std::string(message.payload.data(), message.payload.size()),
                     fmt::format("PRIORITY={}", priority_of(message.level)), "SYSLOG_IDENTIFIER=mcvd"});
  }
  void flush_() override {}
};

/// systemd names device and inode of the stream it gave us; standard error may have been redirected since.
bool stderr_is_journal() {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  if (named == nullptr || ::fstat(STDERR_FILENO, &facts) != 0) return false;
  return fmt::format("{}:{}", facts.st_dev, facts.st_ino) == named;
}

int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return LOG_DEBUG;
    case LogLevel::info: return LOG_INFO;
    case LogLevel::warning: return LOG_WARNING;
    case LogLevel::error: return LOG_ERR;
  }
  return LOG_INFO;
}

void event_to_journal(const LogEvent& event) {
  std::vector<std::string> entries = journal_entries(event);
  entries.push_back(fmt::format("PRIORITY={}", priority_of(event.level)));
  entries.push_back("SYSLOG_IDENTIFIER=mcvd");
  send_to_journal(entries);
}

}  // namespace

void start_logging(int verbosity) {
  std::shared_ptr<spdlog::logger> logger;
  if (stderr_is_journal()) {
    set_event_sink(event_to_journal);
    logger = std::make_shared<spdlog::logger>("mcvd", std::make_shared<JournalSink>());
  } else {
    const char* no_color = std::getenv("NO_COLOR");
    const auto mode = no_color != nullptr && *no_color != '\0' ? spdlog::color_mode::never : spdlog::color_mode::automatic;
    logger = std::make_shared<spdlog::logger>("mcvd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(mode));
    logger->set_pattern("%H:%M:%S.%e %^%l%$ %v");
  }
  logger->set_level(verbosity <= 0 ? spdlog::level::info : verbosity == 1 ? spdlog::level::debug : spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace mcv
