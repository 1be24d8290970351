/* The one thread of a process that plays its GPUs. Doorbells are plain memory, so it has to look; it does so without
 * pause only while something is about to happen, and sleeps the more the longer nothing did. */
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "device.h"

namespace emulator {

class Scheduler {
 public:
  explicit Scheduler(std::vector<Device *> devices) : devices_(std::move(devices)) {}
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

  /* Access to the queues for other threads of the process. */
  class Visit {
   public:
    explicit Visit(Scheduler &scheduler);
    ~Visit();
    Visit(const Visit &) = delete;
    Visit &operator=(const Visit &) = delete;

   private:
    Scheduler &scheduler_;
  };

  void start(); /* at the first queue; the thread lives as long as the process */
  void nudge(); /* the host is about to wait: look now */

 private:
  void run();
  void rest(int64_t last_activity, int64_t due);

  std::vector<Device *> devices_;
  std::mutex queues_;
  std::atomic<int> visitors_{0};
  std::atomic<bool> started_{false};
  int64_t late_ns_ = 60'000; /* how late sleeps end, smoothed */
};

}  // namespace emulator
