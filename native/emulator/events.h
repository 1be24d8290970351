/* Events with the semantics of the kernel driver: setting an event wakes every thread that waits for it at this moment;
 * the flag stays only if nobody waited or the event is reset by hand. */
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace emulator {

class Events {
 public:
  static constexpr uint32_t max_events = 4096; /* the driver's own limit */

  /* 0 when there is no place left. */
  uint32_t create(bool manual_reset, bool signaled);
  bool destroy(uint32_t id);
  bool set(uint32_t id);
  bool reset(uint32_t id);
  /* False when the time is over. `milliseconds` 0xFFFFFFFF: for ever. */
  bool wait(const std::vector<uint32_t> &ids, bool all, uint32_t milliseconds);
  uint64_t *mailbox(uint32_t id) { return &mailboxes_[id]; }

 private:
  struct Waiter {
    std::condition_variable wake;
    std::vector<uint32_t> ids;
    std::vector<bool> activated;

    bool satisfied(bool all) const;
  };
  struct Event {
    bool exists = false;
    bool manual_reset = false;
    bool signaled = false;
    std::vector<Waiter *> waiters;
  };

  void set_locked(uint32_t id);
  void join(Waiter &waiter);
  void leave(Waiter &waiter, bool satisfied);

  std::mutex mutex_;
  uint32_t hint_ = 1;
  Event events_[max_events];
  alignas(64) uint64_t mailboxes_[max_events] = {};
};

}  // namespace emulator
