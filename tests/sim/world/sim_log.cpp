// SPDX-License-Identifier: Apache-2.0
#include "world/sim_log.h"

#include <fmt/format.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace mcv::sim {

namespace {

class TraceSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  TraceSink(Scheduler& scheduler, const SimLog& log) : scheduler_(scheduler), log_(log) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view line(message.payload.data(), message.payload.size());
    scheduler_.say(fmt::format("{} {}: {}", log_.speaker(), std::string_view(level.data(), level.size()), line));
    if (log_.on_line) log_.on_line(line);
  }
  void flush_() override {}

 private:
  Scheduler& scheduler_;
  const SimLog& log_;
};

}  // namespace

SimLog::SimLog(Scheduler& scheduler) : scheduler_(scheduler), before_(spdlog::default_logger()) {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("sim", std::make_shared<TraceSink>(scheduler, *this)));
}

SimLog::~SimLog() { spdlog::set_default_logger(before_); }

std::string SimLog::speaker() const {
  const auto found = nodes_.find(scheduler_.running());
  return found == nodes_.end() ? std::string("?") : found->second;
}

}  // namespace mcv::sim
