#include "scheduler.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

namespace emulator {
namespace {

constexpr int64_t micro = 1000, milli = 1000 * micro;
constexpr int64_t spin_alone_ns = 100 * micro;
constexpr int64_t spin_crowded_ns = 10 * micro; /* other processes of the chip need the cores, too */
constexpr int64_t most_late_ns = 100 * micro;

/* How long to sleep between two looks at the doorbells, by how long nothing has happened. */
int64_t nap(int64_t idle_ns) {
  if (idle_ns < 10 * milli) return 50 * micro;
  if (idle_ns < 200 * milli) return 200 * micro;
  if (idle_ns < 2000 * milli) return 1 * milli;
  return 4 * milli;
}

void prepare_thread() {
  pthread_setname_np(pthread_self(), "emulated-gpu");
  prctl(PR_SET_TIMERSLACK, 1UL); /* the default adds 50 us to every sleep */
  /* The hardware does not wait for the host's scheduler. Without the right to do so it has to. */
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), -10);
}

}  // namespace

Scheduler::Visit::Visit(Scheduler &scheduler) : scheduler_(scheduler) {
  scheduler_.visitors_++;
  scheduler_.queues_.lock();
}

Scheduler::Visit::~Visit() {
  scheduler_.queues_.unlock();
  scheduler_.visitors_--;
  scheduler_.nudge();
}

void Scheduler::start() {
  if (started_.exchange(true)) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
  std::thread([this] { run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Scheduler::nudge() {
  for (Device *device : devices_) device->chip().wake();
}

void Scheduler::run() {
  prepare_thread();
  int64_t last_activity = wall_ns();
  for (;;) {
    bool moved = false;
    int64_t due = INT64_MAX;
    {
      std::lock_guard lock(queues_);
      for (Device *device : devices_) {
        moved |= device->round(visitors_.load() > 0);
        due = std::min(due, device->due_ns());
      }
    }
    while (visitors_.load() > 0) sched_yield();
    if (moved)
      last_activity = wall_ns();
    else
      rest(last_activity, due);
  }
}

void Scheduler::rest(int64_t last_activity, int64_t due) {
  const int64_t now = wall_ns();
  const bool crowded = devices_.front()->chip().clients() > 1;
  const int64_t idle = now - last_activity;
  const int64_t margin = crowded ? 0 : late_ns_;
  if (idle < (crowded ? spin_crowded_ns : spin_alone_ns) || (!crowded && due - now < margin)) {
    /* No sched_yield: it gives away a whole slice, milliseconds, to any thread that computes. */
    for (int i = 0; i < 16; i++) __builtin_ia32_pause();
    return;
  }
  /* What is due and did not move waits for another process, which may need this core and wakes us. */
  if (due <= now) due = INT64_MAX;
  const bool held = std::any_of(devices_.begin(), devices_.end(), [](Device *one) { return one->held_by_host(); });
  const int64_t until = std::min(due - margin, now + (held ? nap(0) : nap(idle)));
  devices_.front()->chip().sleep(until);
  const int64_t late = std::clamp<int64_t>(wall_ns() - until, 0, most_late_ns);
  late_ns_ += (late - late_ns_) / 16;
}

}  // namespace emulator
