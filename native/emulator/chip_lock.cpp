#include "chip_lock.h"

#include "futex.h"

namespace emulator {
namespace {

constexpr int spins = 200;
/* Turns are microseconds long: a holder that has not moved for so long is worth a look. */
constexpr int64_t patience_ns = 20'000'000;

}  // namespace

bool ChipLock::try_take(uint32_t self) {
  for (int i = 0; i < spins; i++) {
    uint32_t seen = word_.load(std::memory_order_relaxed);
    const uint32_t taken = ((seen & ~holder_bits) + taken_once) | (self + 1);
    if ((seen & holder_bits) == 0 && word_.compare_exchange_weak(seen, taken, std::memory_order_acquire)) return true;
    __builtin_ia32_pause();
  }
  return false;
}

/* Who has waited cannot tell whether others still do. */
bool ChipLock::take_over(uint32_t seen, uint32_t self) {
  const uint32_t taken = ((seen & ~holder_bits) + taken_once) | waited_for | (self + 1);
  return word_.compare_exchange_strong(seen, taken, std::memory_order_acquire);
}

uint32_t ChipLock::wait() {
  for (;;) {
    uint32_t seen = word_.load();
    if ((seen & holder_bits) == 0) return seen;
    if ((seen & waited_for) == 0 && !word_.compare_exchange_strong(seen, seen | waited_for)) continue;
    seen |= waited_for;
    if (futex_wait(word_, seen, patience_ns) == FutexEnd::timeout && word_.load() == seen) return seen;
  }
}

bool ChipLock::take_from_predecessor(uint32_t self) {
  const uint32_t seen = word_.load();
  return (seen & holder_bits) == self + 1 && take_over(seen, self);
}

void ChipLock::give() {
  const uint32_t before = word_.fetch_and(~(holder_bits | waited_for), std::memory_order_release);
  if (before & waited_for) futex_wake(word_);
}

}  // namespace emulator
