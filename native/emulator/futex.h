/* Sleeping on a word that several processes have mapped. */
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

namespace emulator {

enum class FutexEnd { woken, timeout };

inline FutexEnd futex_wait(std::atomic<uint32_t> &word, uint32_t expected, int64_t ns) {
  if (ns <= 0) return FutexEnd::timeout;
  timespec timeout{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  const long result = syscall(SYS_futex, &word, FUTEX_WAIT, expected, &timeout, nullptr, 0);
  return result != 0 && errno == ETIMEDOUT ? FutexEnd::timeout : FutexEnd::woken;
}

inline void futex_wake(std::atomic<uint32_t> &word) { syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0); }

}  // namespace emulator
