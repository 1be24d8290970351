/* The lock of a chip's file. Its word names the holder by its place among the clients, not by a thread's id as a robust
 * mutex does: ids of different PID namespaces collide. Whoever waits for long looks whether the holder still lives, and
 * takes the lock from a dead one. */
#pragma once

#include <atomic>
#include <cstdint>

namespace emulator {

class ChipLock {
 public:
  enum class Taken { free, from_dead };

  /* `lives(client)` says whether a client that holds the lock is still there. */
  template <typename Lives>
  Taken take(uint32_t self, Lives lives) {
    if (try_take(self)) return Taken::free;
    for (;;) {
      const uint32_t seen = wait();
      const bool free = (seen & holder_bits) == 0;
      if ((free || !lives(holder(seen))) && take_over(seen, self)) return free ? Taken::free : Taken::from_dead;
    }
  }
  /* For a client that has just come to its place: true if one that died there held the lock. It is taken then. */
  bool take_from_predecessor(uint32_t self);
  void give();

 private:
  /* Bits: 0-6 the holder's place + 1, or 0; 7 somebody may be waiting; 8-31 counts how often the lock was taken, so that
   * a dead holder is not mistaken for its successor at the same place. */
  static constexpr uint32_t holder_bits = 0x7f, waited_for = 0x80, taken_once = 0x100;

  static uint32_t holder(uint32_t word) { return (word & holder_bits) - 1; }
  bool try_take(uint32_t self);
  /* Until the lock is free or has stood still for a while; returns the word as it was then. */
  uint32_t wait();
  bool take_over(uint32_t seen, uint32_t self);

  std::atomic<uint32_t> word_; /* futex */
};

}  // namespace emulator
