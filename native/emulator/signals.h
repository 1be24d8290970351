/* Signals as ROCr lays them out: what the GPU reads from them and writes to them. */
#pragma once

#include <cstdint>

#include "events.h"

namespace emulator {

/* `handle` 0 is no signal, whose value is 0. */
int64_t signal_value(uint64_t handle);
/* Writes both time stamps (ns of the GPU's clock), decrements the value and interrupts the host. */
void complete_signal(uint64_t handle, uint64_t start, uint64_t end, Events &events);

}  // namespace emulator
