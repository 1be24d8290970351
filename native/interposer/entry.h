// Proof that a thread has come in from the application and not from the runtime inside one of our own calls: HIP 5.2.3
// calls some of its exports through the dynamic linker. Handlers ask for one as an argument.
#pragma once

namespace eclip {

class Entry {
 public:
  Entry() { ++depth(); }
  ~Entry() { --depth(); }
  Entry(const Entry &) = delete;
  Entry &operator=(const Entry &) = delete;
  bool outermost() const { return depth() == 1; }

 private:
  static unsigned &depth() {
    static thread_local unsigned value __attribute__((tls_model("initial-exec"))) = 0;
    return value;
  }
};

}  // namespace eclip
