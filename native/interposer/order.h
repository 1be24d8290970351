// What must be written beside a redirected kernel so that the application's stream keeps its meaning. Pure.
//
// The null stream, alone: masked streams are blocking, so the runtime itself lets each of their kernels wait for the null
// stream, and the null stream for them. Left to us: a kernel must wait for the one before it if that went to another
// masked stream. With other blocking streams about, which look at the null stream only, and on every other stream: fork
// from the application's stream and join it again, at once. On a stream of the application's own the fork is left out
// where nothing has been put on it since the last join: then the last kernel is all there is to wait for.
#pragma once

#include <cstdint>

namespace eclip {

enum class Joining { ByRuntime, Eager };

struct Steps {
  bool fork = false;              // record on the application's stream, wait on the masked one
  bool hop = false;               // wait on the masked stream for the last kernel, which is on another masked stream
  bool hop_needs_record = false;  // that kernel carries no event of ours: record one behind it
  bool bind_event = false;        // give the kernel a stop event
  bool join = false;              // wait on the application's stream for it
};

// One application stream. `Masked` identifies a masked stream. Protected by the stream's lock.
template <class Masked>
class Order {
 public:
  // Before a kernel goes to `target`; `hop_follows`: the next one is expected to go to another masked stream.
  // `touches`: how often the application has put something on its stream, as far as is known.
  Steps before(Masked *target, Joining joining, bool hop_follows, uint64_t touches) const {
    Steps steps;
    if (joining == Joining::Eager) {
      const bool untouched = joined_ && event_bound_ && touches == touches_;
      steps.fork = !untouched;
      steps.hop = untouched && joined_ != target;
      steps.bind_event = steps.join = true;
      return steps;
    }
    steps.hop = last_ && last_ != target;
    steps.hop_needs_record = steps.hop && !event_bound_;
    steps.bind_event = hop_follows;
    return steps;
  }

  // The kernel has been launched on `target`.
  void launched(Masked *target, const Steps &steps, uint64_t touches) {
    touches_ = touches;
    joined_ = steps.join ? target : nullptr;
    hopped_ = started_ && last_target_ != target;
    started_ = true;
    last_target_ = target;
    last_ = steps.join ? nullptr : target;
    event_bound_ = steps.bind_event;
  }

  // A kernel, or a record, went to the application's stream itself: the runtime has ordered it behind everything.
  void settled() { last_ = joined_ = nullptr; }
  void stayed() {
    hopped_ = started_ && last_target_ != nullptr;
    started_ = true;
    last_target_ = nullptr;
    settled();
  }

  // The masked stream with work that nothing on the application's stream stands for yet.
  Masked *unsettled() const { return last_; }
  // The masked stream of the last kernel, to hop from.
  Masked *previous() const { return last_ ? last_ : joined_; }
  // Another kernel for `target`, null for the application's own stream, needs nothing beside it and changes nothing here.
  bool steady(const Masked *target) const {
    return started_ && last_target_ == target && last_ == target && !joined_ && !(target && event_bound_);
  }
  // The last two kernels ran on different streams.
  bool hopped() const { return hopped_; }

  void forget(const Masked *gone) {
    if (last_ == gone) {
      last_ = nullptr;
    }
    if (joined_ == gone) {
      joined_ = nullptr;
    }
    if (last_target_ == gone) {
      last_target_ = nullptr;
    }
  }

 private:
  Masked *last_ = nullptr;
  Masked *joined_ = nullptr;  // the same, but the application's stream waits for it already
  Masked *last_target_ = nullptr;
  uint64_t touches_ = 0;
  bool event_bound_ = false;
  bool started_ = false;
  bool hopped_ = false;
};

}  // namespace eclip
