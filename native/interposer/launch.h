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
  Repeat(const Client &client, const void *function, hip::Dim3 grid, hip::Dim3 block, hip::Stream stream) {
    Thread *thread = Client::known_thread();
    if (!thread || !thread->run.expects(function, grid, block, stream)) {
      return;
    }
    Run &run = thread->run;
    if (run.owned) {
      if (!run.owned->ownership.enter(*thread->seat)) {
        return;
      }
      inside_ = thread->seat;
    }
    if (run.table == client.slot.generation() && run.streams == client.streams.changes() &&
        run.kernels == client.kernels.epoch()) {
      ++run.done;
      run_ = &run;
    }
  }
  ~Repeat() {
    if (inside_) {
      Ownership::leave(*inside_);
    }
  }
  Repeat(const Repeat &) = delete;
  Repeat &operator=(const Repeat &) = delete;

  explicit operator bool() const { return run_; }
  hip::Stream target() const { return run_->target; }

 private:
  const Run *run_ = nullptr;
  Seat *inside_ = nullptr;
};

hip::Error launch(const Entry &entry, Client &client, const Runtime &runtime, const Launch &launch, const Issue &issue);

// A launch that is never moved, for a reason known beforehand.
void count_pass(Client &client, const Runtime &runtime, eclip_reason why);

KernelKey key_of(const Launch &launch, NameId name);

}  // namespace eclip
