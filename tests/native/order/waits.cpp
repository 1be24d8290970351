#include "model.h"

namespace eclip::order {

// What the interposer has waited for is over for every thread that comes after.
void Model::observe(const Caller &caller, const Mark &mark, bool payload) {
  told_ |= payload ? Ops() : mark.known;
  if (payload || (mark.known & ~complete_).any()) {
    hosts_[caller.thread].join(mark);
  }
  complete_ |= mark.known;
  if (payload) {
    Outcome &noted = outcome(caller);
    noted.happened = true;
    noted.after = hosts_[caller.thread];
    noted.after.known |= told_;
    noted.turn = ++turn_;
  }
}

bool Model::unsafe(const Caller &caller) {
  bool any = false;
  for (const auto &capture : captures_) {
    if (capture->mode == 0 || (capture->mode == 1 && capture->thread == caller.thread)) {
      capture->invalid = any = true;
    }
  }
  if (any && caller.internal) {
    complain("a call of the interposer breaks a capture");
  }
  return any;
}

Error Model::synchronize(const Caller &caller, Stream handle) {
  StreamState *on = stream(caller, handle);
  if (!on) {
    return invalid_handle;
  }
  if (unsafe(caller) || on->capture) {
    return capture_unsupported;
  }
  const Mark mark = reached(*on);
  on->last.join(mark);
  observe(caller, mark, !caller.internal);
  return hip::success;
}

Error Model::synchronize_event(const Caller &caller, Event handle) {
  const EventState *on = event(handle);
  if (!on) {
    return invalid_handle;
  }
  if (unsafe(caller)) {
    return capture_unsupported;
  }
  observe(caller, on->recorded ? on->mark : Mark(), !caller.internal);
  return hip::success;
}

Error Model::synchronize_device(const Caller &caller) {
  if (unsafe(caller)) {
    return capture_unsupported;
  }
  Mark mark = null_.last;
  for (const auto &entry : streams_) {
    mark.join(entry.second.last);
  }
  for (const auto &entry : per_thread_) {
    mark.join(entry.second.last);
  }
  for (const auto &entry : shadows_) {
    mark.join(entry.second.last);
  }
  observe(caller, mark, !caller.internal);
  return hip::success;
}

// The application finds what its program says, so that it finds the same with and without us; the interposer finds
// either, and may rely on what it is told.
Error Model::answer(const Caller &caller, const Mark &mark, bool ready) {
  if (!caller.internal) {
    if (ready) {
      observe(caller, mark, true);
    }
    return ready || (mark.known & ~complete_).none() ? hip::success : hip::error_not_ready;
  }
  if ((mark.known & ~complete_).any() && !coin(40)) {
    return hip::error_not_ready;
  }
  complete_ |= mark.known;
  told_ |= mark.known;
  return hip::success;
}

Error Model::query(const Caller &caller, Stream handle, bool ready) {
  StreamState *on = stream(caller, handle);
  if (!on) {
    return invalid_handle;
  }
  if (unsafe(caller) || on->capture) {
    return capture_unsupported;
  }
  const Mark mark = reached(*on);
  on->last.join(mark);
  return answer(caller, mark, ready);
}

Error Model::query_event(const Caller &caller, Event handle, bool ready) {
  const EventState *on = event(handle);
  if (!on) {
    return invalid_handle;
  }
  if (unsafe(caller)) {
    return capture_unsupported;
  }
  return answer(caller, on->recorded ? on->mark : Mark(), ready);
}

Error Model::copy_and_wait(const Caller &caller, Stream handle) {
  if (unsafe(caller)) {
    return capture_unsupported;
  }
  const Error error = work(caller, handle, true);
  if (error == hip::success) {
    hosts_[caller.thread].join(stream(caller, handle)->last);
    complete_ |= hosts_[caller.thread].known;
  }
  return error;
}

}  // namespace eclip::order
