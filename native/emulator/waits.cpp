#include "waits.h"

#include <chrono>

namespace emulator {
namespace {

/* The program's own threads change signals, too, and tell nobody. */
constexpr std::chrono::milliseconds longest_sleep{1};

}  // namespace

void Waits::note() {
  changes_++;
  if (sleepers_.load() == 0) return;
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

void Waits::sleep(uint64_t seen) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, longest_sleep, [&] { return changes_.load() != seen; });
}

}  // namespace emulator
