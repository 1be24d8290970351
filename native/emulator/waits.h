/* Threads that wait for a signal of the chip. HIP waits in a loop, and a thread in a loop cannot be told from one that
 * computes; in virtual time such waits sleep here, so that the chip may go on. */
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace emulator {

class Waits {
 public:
  /* A signal has changed. */
  void note();
  /* Sleeps until `met` says so, which is asked again whenever a signal has changed. */
  template <typename Met>
  void until(const Met &met);

 private:
  void sleep(uint64_t seen);

  std::atomic<uint32_t> sleepers_{0};
  std::atomic<uint64_t> changes_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

template <typename Met>
void Waits::until(const Met &met) {
  sleepers_++;
  for (;;) {
    const uint64_t seen = changes_.load();
    if (met()) break;
    sleep(seen);
  }
  sleepers_--;
}

}  // namespace emulator
