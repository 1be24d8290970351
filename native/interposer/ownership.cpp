#include "ownership.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>
#include <vector>

namespace eclip {

namespace {

struct Seats {
  std::mutex mutex;
  std::vector<Seat *> free;
};

// Never freed: threads may end after the library's destructors.
Seats &seats() {
  static auto *all = new Seats;
  return *all;
}

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

bool barrier_for_all_threads() {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return registered && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

}  // namespace

Seat *Seat::get() {
  const std::lock_guard<std::mutex> lock(seats().mutex);
  if (seats().free.empty()) {
    return new Seat;
  }
  Seat *seat = seats().free.back();
  seats().free.pop_back();
  return seat;
}

void Seat::give_back() {
  const std::lock_guard<std::mutex> lock(seats().mutex);
  seats().free.push_back(this);
}

void Ownership::hand_over(Seat &seat) {
  if (owners_ < most_owners) {
    ++owners_;
    release(&seat);
  } else {
    release(nullptr);
  }
}

void Ownership::release(Seat *next) {
  Seat *before = owner_.load(std::memory_order_relaxed);
  owner_.store(nullptr, std::memory_order_relaxed);
  // The first owner asks, too: whether there will be a barrier when it is needed.
  const bool sure = (before || next) && barrier_for_all_threads();
  while (before && before->inside_.load(std::memory_order_acquire)) {
    sched_yield();
  }
  owner_.store(sure ? next : nullptr, std::memory_order_relaxed);
}

}  // namespace eclip
