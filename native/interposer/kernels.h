// From what the application launches to the kernel's name, as a number. Asked once per function, then cached.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel_key.h"
#include "runtime.h"

namespace eclip {

class Kernels {
 public:
  // `patterns`: globs of names that must never be redirected, beside the built-in ones.
  explicit Kernels(std::vector<std::string> patterns);

  // A thread's own cache: a direct-mapped table that is dropped whole when functions are unloaded.
  struct Cache {
    static constexpr size_t slots = 512;
    struct Entry {
      const void *function = nullptr;
      NameId name = no_name;
      bool denied = false;
    };
    uint32_t epoch = 0;
    Entry entries[slots];
  };

  struct Found {
    NameId name;
    bool denied;
  };

  // `by_pointer`: a host pointer as hipLaunchKernel takes it, else a hipFunction_t. `stream` tells the device.
  Found find(Cache &cache, const Runtime &runtime, const void *function, bool by_pointer, hip::Stream stream);

  // Changes when functions may have other names.
  uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  NameId intern(const std::string &name);
  std::string name(NameId id);
  void forget_functions();

 private:
  Found look_up(const Runtime &runtime, const void *function, bool by_pointer, hip::Stream stream);

  std::atomic<uint32_t> epoch_{1};
  std::mutex mutex_;
  std::vector<std::string> patterns_;
  std::unordered_map<const void *, NameId> functions_;
  std::unordered_map<std::string, NameId> ids_;
  std::vector<std::string> names_{""};
  std::vector<bool> denied_{false};
};

}  // namespace eclip
