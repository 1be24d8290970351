// This process under the interposer: everything that lives as long as it does. Leaked on purpose, so that nothing of
// ours runs at exit.
#pragma once

#include <atomic>

#include "entry.h"
#include "kernels.h"
#include "options.h"
#include "profiler.h"
#include "slot.h"
#include "stats.h"
#include "streams.h"
#include "thread.h"

namespace eclip {

class Client {
 public:
  // Null where calls go through untouched: mode off, child of a fork, or no usable runtime. Made at the first call.
  static Client *get(const Entry &entry, const Runtime &runtime);

  Thread &thread();  // of the caller

  const Options options;
  Stats stats;
  Kernels kernels;
  Streams streams;
  Slot slot;
  std::unique_ptr<Profiler> profiler;  // in profile mode
  std::atomic<bool> broken{false};     // an order that we promised could not be written: nothing is redirected any more

 private:
  explicit Client(Options from_environment);
};

}  // namespace eclip
