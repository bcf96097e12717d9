// SPDX-License-Identifier: Apache-2.0
// A test option of mcvd (docs/testing.md): a step of an operation stops at one exact moment and waits there, so that a test ends
// this daemon, the other one or a node's power in the middle of it without timing anything. Nothing of the configuration or the API
// leads here: main.cpp alone switches it on, by an environment variable.
#pragma once

#include <memory>
#include <string>

#include "cluster/host/host.h"
#include "cluster/plan/action.h"

namespace mcv {

/// The environment variable; its value is the path of the file that asks for a stop.
inline constexpr const char* step_hold_variable = "MCV_TEST_HOLD_STEPS";

/// `action`, which looks before and after each `run` and `undo` whether `file` asks for a stop at this moment:
/// {"action": "volume.up", "step": 6, "moment": "before-run", "fail": false}. Moments: before-run, after-run, before-undo, after-undo.
/// Asked for once: the file is removed, `file`.reached says that the step stands there, and it goes on when that file is removed.
/// With "fail" it then answers with an error, with its effect (after) or without (before).
std::unique_ptr<Action> hold_for_test(host::Host& host, std::string file, std::string name, std::unique_ptr<Action> action);

}  // namespace mcv
