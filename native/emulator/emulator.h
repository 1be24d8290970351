/* All that the emulator holds in this process. Made when ROCr opens the driver and never torn down: at exit ROCr's own
 * threads and ours still run while static objects are destroyed. */
#pragma once

#include <memory>
#include <vector>

#include "config.h"
#include "device.h"
#include "events.h"
#include "kernels.h"
#include "memory.h"
#include "scheduler.h"
#include "trace.h"
#include "waits.h"

namespace emulator {

struct Emulator {
  explicit Emulator(Config configuration);

  Config config;
  Memory memory;
  Events events;
  Waits waits;
  Trace trace;
  Kernels kernels;
  std::vector<std::unique_ptr<Device>> devices;
  Scheduler scheduler;
  uint32_t next_queue = 1;
  std::vector<uint64_t *> free_doorbells;

  /* Node 0 is the host; nullptr for it and for nodes that do not exist. */
  Device *device_of(uint32_t node);
  uint32_t nodes() const { return static_cast<uint32_t>(1 + devices.size()); }
};

/* nullptr, and one line on stderr the first time, if the configuration is no good. */
Emulator *instance();

}  // namespace emulator
