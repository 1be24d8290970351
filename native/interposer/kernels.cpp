#include "kernels.h"

#include <fnmatch.h>

namespace eclip {

namespace {

// Kernels that synchronise their workgroups with each other and so need as many resident as the whole GPU takes.
constexpr const char *built_in_patterns[] = {
    "*ncclDevKernel*",   "*ncclKernel*", "*rccl*Kernel*",  // collectives
    "*rocshmem*",        "*roc_shmem*",                    //
    "Cijk_*_SK[1-9]*",                                     // StreamK matrix products of Tensile
    "miopenSp3AsmConv*",                                   // persistent Winograd kernels of MIOpen
};

bool matches(const std::string &name, const std::vector<std::string> &patterns) {
  for (const char *pattern : built_in_patterns) {
    if (fnmatch(pattern, name.c_str(), 0) == 0) {
      return true;
    }
  }
  for (const std::string &pattern : patterns) {
    if (fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

Kernels::Kernels(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}

Kernels::Found Kernels::find(Cache &cache, const Runtime &runtime, const void *function, bool by_pointer,
                             hip::Stream stream) {
  const uint32_t epoch = epoch_.load(std::memory_order_acquire);
  if (cache.epoch != epoch) {
    cache = Cache();
    cache.epoch = epoch;
  }
  const auto bits = reinterpret_cast<uintptr_t>(function);
  Cache::Entry &entry = cache.entries[((bits >> 4) ^ (bits >> 13)) % Cache::slots];
  if (entry.function != function) {
    const Found found = look_up(runtime, function, by_pointer, stream);
    if (found.name == no_name) {
      return found;
    }
    entry = {function, found.name, found.denied};
  }
  return {entry.name, entry.denied};
}

Kernels::Found Kernels::look_up(const Runtime &runtime, const void *function, bool by_pointer, hip::Stream stream) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto known = functions_.find(function);
    if (known != functions_.end()) {
      return {known->second, denied_[known->second]};
    }
  }
  // Not under the lock: the runtime may load the function for the first time here.
  const char *text = nullptr;
  if (function && by_pointer && runtime.hipKernelNameRefByPtr) {
    text = runtime.hipKernelNameRefByPtr(function, stream);
  } else if (function && !by_pointer && runtime.hipKernelNameRef) {
    text = runtime.hipKernelNameRef(static_cast<hip::Function>(const_cast<void *>(function)));
  }
  if (!text || !*text) {
    return {no_name, false};
  }
  const NameId id = intern(text);
  const std::lock_guard<std::mutex> lock(mutex_);
  functions_[function] = id;
  return {id, denied_[id]};
}

NameId Kernels::intern(const std::string &name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [entry, added] = ids_.emplace(name, static_cast<NameId>(names_.size()));
  if (added) {
    names_.push_back(name);
    denied_.push_back(matches(name, patterns_));
  }
  return entry->second;
}

std::string Kernels::name(NameId id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return names_[id];
}

void Kernels::forget_functions() {
  const std::lock_guard<std::mutex> lock(mutex_);
  functions_.clear();
  epoch_.fetch_add(1, std::memory_order_release);
}

}  // namespace eclip
