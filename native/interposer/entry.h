// Proof that a thread has come in from the application and not from the runtime inside one of our own calls: HIP 5.2.3
// calls some of its exports through the dynamic linker. Handlers ask for one as an argument.
#pragma once

namespace eclip {

struct Thread;

// What every entry looks at first. Trivial and at a fixed place of the thread's memory, so that it costs two loads.
struct Local {
  unsigned depth;
  Thread *thread;  // null before the thread's first launch
};
extern __thread Local local __attribute__((tls_model("initial-exec"), visibility("hidden")));

class Entry {
 public:
  Entry() { ++local.depth; }
  ~Entry() { --local.depth; }
  Entry(const Entry &) = delete;
  Entry &operator=(const Entry &) = delete;
  bool outermost() const { return local.depth == 1; }
};

}  // namespace eclip
