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
  // Null where calls go through untouched: mode off, child of a fork, or no usable runtime. Made at the first call,
  // which also leaves the record of a program that we keep out of.
  static Client *get(const Entry &, const Runtime &runtime) {
    if (inert.load(std::memory_order_relaxed)) {
      return nullptr;
    }
    Client *client = instance.load(std::memory_order_acquire);
    return client ? client : make(runtime);
  }

  // How the runtime's calls come to us, for the statistics, now or as soon as there are any.
  static void came_by(eclip_way way, size_t table_bytes);

  // Whether launches under this plan are the profiler's: in mode profile all are, else those under a table that asks.
  bool profiles(const Plan *plan) const {
    return options.mode == ECLIP_PROFILE || (options.mode == ECLIP_ENFORCE && plan && plan->profiling);
  }

  // The caller's.
  Thread &thread() { return local.thread ? *local.thread : make_thread(); }

  const Options options;
  Stats stats;
  Kernels kernels;
  Streams streams;
  Slot slot;
  Profiler profiler;
  std::atomic<bool> broken{false};  // an order that we promised could not be written: nothing is redirected any more

 private:
  explicit Client(Options from_environment);
  static Client *make(const Runtime &runtime);
  static Thread &make_thread();
  static void tell_way(Client *client);
  static void after_fork_in_child();
  static void end_thread(void *thread);

  // Trivial, so that nothing runs when the library is loaded.
  static std::atomic<Client *> instance;
  static std::atomic<bool> inert;
  static std::atomic<uint32_t> way, table_bytes;
};

}  // namespace eclip
