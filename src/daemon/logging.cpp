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

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace mcv {
namespace {

bool journal_in_use = false;

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

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void start_logging(int verbosity) {
  journal_in_use = stderr_is_journal();
  std::shared_ptr<spdlog::logger> logger;
  if (journal_in_use) {
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

void log_event(LogLevel level, std::string_view message, std::initializer_list<std::pair<std::string_view, std::string>> fields) {
  const spdlog::level::level_enum spdlog_level = to_spdlog(level);
  if (!spdlog::should_log(spdlog_level)) return;
  if (journal_in_use) {
    std::vector<std::string> entries{fmt::format("MESSAGE={}", message), fmt::format("PRIORITY={}", priority_of(spdlog_level)), "SYSLOG_IDENTIFIER=mcvd"};
    for (const auto& [name, value] : fields) entries.push_back(fmt::format("MCV_{}={}", name, value));
    send_to_journal(entries);
    return;
  }
  std::string text(message);
  for (const auto& [name, value] : fields) text += fmt::format(" {}={}", name, value);
  spdlog::log(spdlog_level, "{}", text);
}

}  // namespace mcv
