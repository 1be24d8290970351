// What must be written beside a redirected kernel so that the application's stream keeps its meaning. Pure.
//
// The null stream, alone: masked streams are blocking, so the runtime itself lets each of their kernels wait for the null
// stream, and the null stream for them. Left to us: a kernel must wait for the one before it if that went to another
// masked stream. With other blocking streams about, which look at the null stream only, and on every other stream: fork
// from the application's stream and join it again, at once.
#pragma once

namespace eclip {

enum class Joining { ByRuntime, Eager };

struct Steps {
  bool fork = false;  // record on the application's stream, wait on the masked one
  bool hop = false;   // wait on the masked stream for the last kernel, which is on another masked stream
  bool hop_needs_record = false;  // that kernel carries no event of ours: record one behind it
  bool bind_event = false;        // give the kernel a stop event
  bool join = false;              // wait on the application's stream for it
};

// One application stream. `Masked` identifies a masked stream. Protected by the stream's lock.
template <class Masked>
class Order {
 public:
  // Before a kernel goes to `target`; `hop_follows`: the next one is expected to go to another masked stream.
  Steps before(Masked *target, Joining joining, bool hop_follows) const {
    if (joining == Joining::Eager) {
      Steps steps{true, false, false, true, true};
      return steps;
    }
    Steps steps;
    steps.hop = last_ && last_ != target;
    steps.hop_needs_record = steps.hop && !event_bound_;
    steps.bind_event = hop_follows;
    return steps;
  }

  // The kernel has been launched on `target`.
  void launched(Masked *target, const Steps &steps) {
    hopped_ = started_ && last_target_ != target;
    started_ = true;
    last_target_ = target;
    last_ = steps.join ? nullptr : target;
    event_bound_ = steps.bind_event;
  }

  // A kernel, or a record, went to the application's stream itself: the runtime has ordered it behind everything.
  void settled() { last_ = nullptr; }
  void stayed() {
    hopped_ = started_ && last_target_ != nullptr;
    started_ = true;
    last_target_ = nullptr;
    settled();
  }

  // The masked stream with work that nothing on the application's stream stands for yet.
  Masked *unsettled() const { return last_; }
  // The last two kernels ran on different streams.
  bool hopped() const { return hopped_; }

  void forget(const Masked *gone) {
    if (last_ == gone) {
      last_ = nullptr;
    }
    if (last_target_ == gone) {
      last_target_ = nullptr;
    }
  }

 private:
  Masked *last_ = nullptr;
  Masked *last_target_ = nullptr;
  bool event_bound_ = false;
  bool started_ = false;
  bool hopped_ = false;
};

}  // namespace eclip
