// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "cluster/host/clock.h"
#include "cluster/plan/operation_record.h"
#include "cluster/plan/step_dispatcher.h"

namespace mcv {

/// Does what next_move() says until the operation has ended: journal, act, journal. Success when it ended, whatever the
/// outcome; an error only when the journal cannot be written any more (then the daemon must restart and re-read).
/// A full disk is waited for. Cancelling this coroutine is a crash as far as the operation is concerned: it is resumed.
boost::asio::awaitable<Status> run_operation(std::shared_ptr<OperationRecord> record, StepDispatcher& steps, host::Clock& clock);

}  // namespace mcv
