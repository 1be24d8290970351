#include "events.h"

#include <algorithm>
#include <chrono>

namespace emulator {

bool Events::Waiter::satisfied(bool all) const {
  const auto is_set = [](bool activated) { return activated; };
  return all ? std::all_of(activated.begin(), activated.end(), is_set)
             : std::any_of(activated.begin(), activated.end(), is_set);
}

uint32_t Events::create(bool manual_reset, bool signaled) {
  std::lock_guard lock(mutex_);
  for (uint32_t tried = 0; tried < max_events; tried++) {
    const uint32_t id = hint_;
    hint_ = hint_ + 1 < max_events ? hint_ + 1 : 1; /* freed ids rest, so that a late set meets nobody */
    if (events_[id].exists || !events_[id].waiters.empty()) continue;
    events_[id] = {true, manual_reset, signaled, {}};
    mailboxes_[id] = 0;
    return id;
  }
  return 0;
}

bool Events::destroy(uint32_t id) {
  std::lock_guard lock(mutex_);
  if (id == 0 || id >= max_events || !events_[id].exists) return false;
  set_locked(id); /* nobody sleeps on an event that is gone */
  events_[id].exists = false;
  return true;
}

bool Events::set(uint32_t id) {
  std::lock_guard lock(mutex_);
  if (id == 0 || id >= max_events || !events_[id].exists) return false;
  set_locked(id);
  return true;
}

bool Events::reset(uint32_t id) {
  std::lock_guard lock(mutex_);
  if (id == 0 || id >= max_events || !events_[id].exists) return false;
  events_[id].signaled = false;
  return true;
}

void Events::set_locked(uint32_t id) {
  Event &event = events_[id];
  event.signaled = event.manual_reset || event.waiters.empty();
  for (Waiter *waiter : event.waiters) {
    for (size_t i = 0; i < waiter->ids.size(); i++)
      if (waiter->ids[i] == id) waiter->activated[i] = true;
    waiter->wake.notify_one();
  }
}

void Events::join(Waiter &waiter) {
  for (size_t i = 0; i < waiter.ids.size(); i++) {
    Event &event = events_[waiter.ids[i]];
    waiter.activated[i] = event.signaled;
    event.signaled = event.signaled && event.manual_reset;
    event.waiters.push_back(&waiter);
  }
}

void Events::leave(Waiter &waiter, bool satisfied) {
  for (uint32_t id : waiter.ids) {
    auto &waiters = events_[id].waiters;
    waiters.erase(std::find(waiters.begin(), waiters.end(), &waiter));
  }
  if (satisfied) return;
  /* A wait that failed gives back what it had taken. */
  for (size_t i = 0; i < waiter.ids.size(); i++)
    if (waiter.activated[i] && !events_[waiter.ids[i]].manual_reset) set_locked(waiter.ids[i]);
}

bool Events::wait(const std::vector<uint32_t> &ids, bool all, uint32_t milliseconds) {
  std::unique_lock lock(mutex_);
  Waiter waiter;
  waiter.ids = ids;
  waiter.activated.resize(ids.size());
  join(waiter);
  const auto satisfied = [&] { return waiter.satisfied(all); };
  bool done = satisfied();
  if (!done && milliseconds == 0xFFFFFFFF) {
    waiter.wake.wait(lock, satisfied);
    done = true;
  } else if (!done && milliseconds > 0) {
    done = waiter.wake.wait_until(lock, std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds),
                                  satisfied);
  }
  leave(waiter, done);
  return done;
}

}  // namespace emulator
