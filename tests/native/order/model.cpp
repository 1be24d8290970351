#include "model.h"

namespace eclip::order {

namespace {

constexpr uintptr_t stream_base = 0x7f0010000000, event_base = 0x7f0020000000, stride = 0x140;

// One that has been given back, `at` random, before any new one.
uintptr_t take(std::vector<uintptr_t> &free, uintptr_t base, size_t used, size_t at) {
  if (free.empty()) {
    return base + used * stride;
  }
  std::swap(free[at % free.size()], free.back());
  const uintptr_t handle = free.back();
  free.pop_back();
  return handle;
}

}  // namespace

Model::Model(uint64_t seed, int version) : version_(version), state_(seed * 2 + 1) {
  null_.id = 1;
  null_.kind = StreamState::Kind::Null;
}

uint32_t Model::random() {
  state_ = state_ * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state_ >> 33);
}

bool Model::coin(uint32_t percent) { return random() % 100 < percent; }

// --- streams and events

Stream Model::create_stream(const Caller &caller, StreamState::Kind kind, int priority, std::vector<uint32_t> mask) {
  const uintptr_t handle = take(free_streams_, stream_base, streams_.size(), random());
  StreamState &made = streams_[reinterpret_cast<Stream>(handle)];
  made = StreamState();
  made.id = ++next_id_;
  made.kind = kind;
  made.priority = priority;
  made.mask = std::move(mask);
  made.ours = caller.internal;
  if (caller.internal && !captures_.empty()) {
    complain("a stream is created while another is being captured");
  }
  outcome(caller).blocks |= made.blocking() && !made.ours;
  return reinterpret_cast<Stream>(handle);
}

// Waits, as ROCclr's HostQueue::terminate does, for what the stream has been given.
Error Model::destroy_stream(const Caller &caller, Stream handle) {
  const auto found = streams_.find(handle);
  if (found == streams_.end()) {
    return invalid_handle;
  }
  if (found->second.capture) {
    leave_capture(found->second.capture);
  }
  observe(caller, found->second.last, !caller.internal);
  streams_.erase(found);
  free_streams_.push_back(reinterpret_cast<uintptr_t>(handle));
  return hip::success;
}

StreamState *Model::stream(const Caller &caller, Stream handle) {
  if (hip::is_null(handle)) {
    return &null_;
  }
  if (hip::is_per_thread(handle)) {
    StreamState &mine = per_thread_[caller.thread];
    if (mine.id == 0) {
      mine.id = ++next_id_;
      mine.kind = StreamState::Kind::PerThread;
      outcome(caller).blocks = true;
    }
    return &mine;
  }
  const auto found = streams_.find(handle);
  if (found == streams_.end() && caller.internal) {
    complain("the interposer uses a stream that is not there");
  }
  return found == streams_.end() ? nullptr : &found->second;
}

Event Model::create_event(const Caller &caller) {
  const uintptr_t handle = take(free_events_, event_base, events_.size(), random());
  EventState &made = events_[reinterpret_cast<Event>(handle)];
  made = EventState();
  made.ours = caller.internal;
  if (caller.internal && !captures_.empty()) {
    complain("an event is created while a stream is being captured");
  }
  return reinterpret_cast<Event>(handle);
}

Error Model::destroy_event(Event handle) {
  if (events_.erase(handle) == 0) {
    return invalid_handle;
  }
  free_events_.push_back(reinterpret_cast<uintptr_t>(handle));
  return hip::success;
}

EventState *Model::event(Event handle) {
  const auto found = events_.find(handle);
  return found == events_.end() ? nullptr : &found->second;
}

void Model::reset_device(const Caller &caller) {
  synchronize_device(caller);
  for (const auto &entry : streams_) {
    free_streams_.push_back(reinterpret_cast<uintptr_t>(entry.first));
  }
  streams_.clear();
  shadows_.clear();
  per_thread_.clear();
  null_.last = Mark();
  for (const auto &capture : std::set<std::shared_ptr<Capture>>(captures_)) {
    leave_capture(capture);
  }
}

void Model::end_thread(int thread) {
  const auto found = per_thread_.find(thread);
  if (found != per_thread_.end()) {
    if (found->second.capture) {
      leave_capture(found->second.capture);
    }
    per_thread_.erase(found);
  }
}

// --- what streams do

// What `stream` has to do, and waits for before anything more. (ROCclr's iHipWaitActiveStreams: the null stream waits for
// all blocking streams, and they for it; also where somebody only asks how far it is.)
Mark Model::reached(const StreamState &stream) const {
  Mark mark = stream.last;
  if (stream.blocking()) {
    mark.join(null_.last);
  }
  if (stream.kind == StreamState::Kind::Null) {
    for (const auto &entry : streams_) {
      if (entry.second.blocking()) {
        mark.join(entry.second.last);
      }
    }
    for (const auto &entry : per_thread_) {
      mark.join(entry.second.last);
    }
    for (const auto &entry : shadows_) {
      mark.join(entry.second.last);
    }
  }
  return mark;
}

// What is over before the next thing that this thread puts on `stream` begins.
Mark Model::before(const Caller &caller, const StreamState &stream) const {
  Mark mark = reached(stream);
  const auto host = hosts_.find(caller.thread);
  if (host != hosts_.end()) {
    mark.join(host->second);
  }
  mark.known |= told_;
  return mark;
}

StreamState &Model::shadow(uint64_t id) {
  StreamState &made = shadows_[id];
  made.id = id;
  return made;
}

void Model::note(const Caller &caller, const StreamState &stream, const Mark &mark) {
  Outcome &noted = outcome(caller);
  if (noted.happened) {
    complain("operation " + std::to_string(caller.op) + " happens twice");
  }
  noted.happened = true;
  noted.after = mark;
  noted.stream = stream.id;
  noted.masked = stream.ours ? stream.id : 0;
  noted.mask = stream.ours && !stream.mask.empty() ? stream.mask[0] : 0;
  noted.turn = ++turn_;
}

void Model::pass(const Caller &caller, StreamState &stream, bool payload, Event start, Event stop) {
  const auto other = shadows.find(caller.op);
  StreamState *second = other == shadows.end() ? nullptr : &shadow(other->second);
  Mark mark = before(caller, stream);
  if (second) {
    mark.join(before(caller, *second));
  }
  if (EventState *began = event(start)) {
    began->recorded = true;
    began->capture = nullptr;
    began->mark = mark;
  }
  if (payload) {
    note(caller, stream, mark);
    mark.forced.set(caller.op);
    mark.known.set(caller.op);
  }
  stream.last = mark;
  if (second) {
    second->last = mark;
  }
  outcome(caller).on_null |= !payload && stream.kind == StreamState::Kind::Null;
  if (EventState *ended = event(stop)) {
    ended->recorded = true;
    ended->capture = nullptr;
    ended->mark = mark;
  }
}

void Model::node(StreamState &stream, size_t op) {
  stream.capture->nodes.push_back({op, stream.leaves});
  stream.leaves.reset();
  stream.leaves.set(op);
}

Error Model::work(const Caller &caller, Stream handle, bool payload, Event start, Event stop) {
  StreamState *on = stream(caller, handle);
  if (!on || (start && !event(start)) || (stop && !event(stop))) {
    return invalid_handle;
  }
  if (on->capture) {
    if (on->capture->invalid) {
      return capture_invalidated;
    }
    node(*on, caller.op);
    return hip::success;
  }
  if (on->kind == StreamState::Kind::Null && blocking_capture()) {
    return capture_implicit;
  }
  pass(caller, *on, payload, start, stop);
  return hip::success;
}

Error Model::record(const Caller &caller, Event handle, Stream stream_handle, bool payload) {
  StreamState *on = stream(caller, stream_handle);
  EventState *into = event(handle);
  if (!on || !into) {
    return invalid_handle;
  }
  if (on->capture) {
    if (on->capture->invalid) {
      return capture_invalidated;
    }
    into->recorded = false;
    into->capture = on->capture;
    into->leaves = on->leaves;
    return hip::success;
  }
  if (on->kind == StreamState::Kind::Null && blocking_capture()) {
    return capture_implicit;
  }
  pass(caller, *on, payload, nullptr, handle);
  return hip::success;
}

Error Model::wait(const Caller &caller, Stream handle, Event event_handle, bool payload) {
  StreamState *on = stream(caller, handle);
  EventState *from = event(event_handle);
  if (!on || !from) {
    return invalid_handle;
  }
  if (caller.internal && on->ours) {
    outcome(caller).forked = on->id;
  }
  const bool other = from->capture && captures_.count(from->capture);
  if (on->capture && on->capture->invalid) {
    return capture_invalidated;
  }
  if (other && on->kind == StreamState::Kind::Null) {
    return capture_implicit;
  }
  if (other && (!on->capture || on->capture == from->capture)) {
    on->leaves = on->capture ? on->leaves | from->leaves : from->leaves;
    on->capture = from->capture;
    return hip::success;
  }
  if (on->capture) {
    on->capture->invalid = true;
    return capture_isolation;
  }
  if (on->kind == StreamState::Kind::Null && blocking_capture()) {
    return capture_implicit;
  }
  if (from->recorded) {
    on->last.join(from->mark);
  }
  pass(caller, *on, payload, nullptr, nullptr);
  return hip::success;
}

Error Model::launch_graph(const Caller &caller, uint64_t exec, Stream handle) {
  if (exec == 0 || exec > graphs_.size()) {
    return invalid_value;
  }
  const Error error = work(caller, handle, true);
  outcome(caller).graph = graphs_[exec - 1];
  return error;
}

}  // namespace eclip::order
