// One kernel launch of the application, whatever the entry point, and the decision where it runs.
#pragma once

#include "client.h"
#include "kernel_key.h"

namespace eclip {

struct Launch {
  const void *function;
  bool by_pointer;  // function is a host pointer; else a hipFunction_t
  hip::Dim3 grid;   // workgroups
  hip::Dim3 block;  // work-items
  hip::Stream stream;
  hip::Event start;  // the application's own events, if the entry point takes any
  hip::Event stop;
  bool movable;  // the arguments have a form that can be launched with an event
};

// How the entry point launches: as the application asked for, but on `stream`; with_stop adds a stop event.
class Issue {
 public:
  virtual hip::Error plain(hip::Stream stream) const = 0;
  virtual hip::Error with_events(hip::Stream stream, hip::Event start, hip::Event stop) const = 0;

 protected:
  ~Issue() = default;
};

// The next launch of a run (thread.h), if it is one: `true` says so, and that it goes to `target`. It must be gone before
// anything but that launch is done.
class Repeat {
 public:
  __attribute__((always_inline)) Repeat(const void *function, hip::Dim3 grid, hip::Dim3 block, hip::Stream stream) {
    Thread *thread = local.thread;
    if (!thread || local.depth != 0 || !thread->run.expects({function, grid, block}, stream)) {
      return;
    }
    Run &run = thread->run;
    if (run.owned && !run.owned->enter(*thread->seat)) {
      return;
    }
    if (run.holds()) {
      ++run.next;
      ++local.depth;
      thread_ = thread;
    } else if (run.owned) {
      Ownership::leave(*thread->seat);
    }
  }
  ~Repeat() {
    if (thread_) {
      --local.depth;
      if (thread_->run.owned) {
        Ownership::leave(*thread_->seat);
      }
    }
  }
  Repeat(const Repeat &) = delete;
  Repeat &operator=(const Repeat &) = delete;

  explicit operator bool() const { return thread_; }
  hip::Stream target() const { return thread_->run.target; }
  const Runtime &runtime() const { return *thread_->run.runtime; }

 private:
  Thread *thread_ = nullptr;
};

// What an exported function tries first: `by` says whether it was a launch of a run, and is done, with `error`. Only of the
// two functions that programs launch with all the time.
template <auto Original>
struct Again {
  hip::Error &error;
  template <class... Arguments>
  bool by(const Arguments &...) const {
    return false;
  }
};

template <>
struct Again<&Runtime::hipLaunchKernel> {
  hip::Error &error;
  bool by(const void *function, hip::Dim3 grid, hip::Dim3 block, void **args, size_t shared, hip::Stream stream) const {
    const Repeat next(function, grid, block, stream);
    if (next) {
      error = next.runtime().hipLaunchKernel(function, grid, block, args, shared, next.target());
    }
    return bool(next);
  }
};

template <>
struct Again<&Runtime::hipModuleLaunchKernel> {
  hip::Error &error;
  bool by(hip::Function function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z, uint32_t block_x, uint32_t block_y,
          uint32_t block_z, uint32_t shared, hip::Stream stream, void **args, void **extra) const {
    const Repeat next(function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, stream);
    if (next) {
      error = next.runtime().hipModuleLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared,
                                                   next.target(), args, extra);
    }
    return bool(next);
  }
};

hip::Error launch(const Entry &entry, Client &client, const Runtime &runtime, const Launch &launch, const Issue &issue);

// A launch that is never moved, for a reason known beforehand.
void count_pass(Client &client, const Runtime &runtime, eclip_reason why);

KernelKey key_of(const Launch &launch, NameId name);

}  // namespace eclip
