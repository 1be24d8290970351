// Lets one thread use a stream without the stream's lock, for as long as no other thread touches that stream.
//
// The owner says that it is inside and then looks whether it still is the owner; who takes the stream away looks the
// other way round. Between the two steps lies a barrier for all threads, which only the one that takes pays for
// (membarrier); where the kernel has none, nobody ever owns a stream.
#pragma once

#include <atomic>
#include <cstdint>

namespace eclip {

// A thread, as owners know it. Never freed, since who takes a stream away may still look at it: a later thread gets it.
class Seat {
 public:
  static Seat *get();
  void give_back();

 private:
  friend class Ownership;
  std::atomic<bool> inside_{false};
};

class Ownership {
 public:
  // A section without the lock. Where it says true, `leave` must follow.
  bool enter(Seat &seat) const {
    seat.inside_.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (owner_.load(std::memory_order_relaxed) == &seat) {
      return true;
    }
    leave(seat);
    return false;
  }
  static void leave(Seat &seat) { seat.inside_.store(false, std::memory_order_release); }

  // With the stream's lock held. A thread that comes to the stream gets it, until it has changed hands too often: then
  // it is shared, and every launch takes the lock. Any other owner is outside afterwards.
  void take(Seat &seat) {
    if (!owned_by(seat)) {
      hand_over(seat);
    }
  }
  // With the lock held, for one that is not to own it.
  void revoke() { release(nullptr); }
  bool owned_by(const Seat &seat) const { return owner_.load(std::memory_order_relaxed) == &seat; }

 private:
  void hand_over(Seat &seat);
  void release(Seat *next);

  static constexpr uint32_t most_owners = 8;
  std::atomic<Seat *> owner_{nullptr};
  uint32_t owners_ = 0;
};

}  // namespace eclip
