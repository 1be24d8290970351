// A GPU and its runtime as far as order goes: a deterministic model of HIP's streams, events, null-stream rules, captures
// and last errors. Nothing runs. For every operation the model says which ones must be over before it begins. Pure.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hip_abi.h"

namespace eclip::order {

constexpr size_t most_ops = 128;
using Ops = std::bitset<most_ops>;

// What is over once a point of the device's or a thread's time is reached.
struct Mark {
  Ops forced;  // because something waits for it
  Ops known;   // also because the runtime has said so to whoever asked
  void join(const Mark &other) {
    forced |= other.forced;
    known |= other.known;
  }
};

// Errors of HIP that the model gives.
enum : Error {
  invalid_value = 1,
  invalid_configuration = 9,
  invalid_handle = 400,
  capture_unsupported = 900,
  capture_invalidated = 901,
  capture_unmatched = 903,
  capture_unjoined = 904,
  capture_isolation = 905,
  capture_implicit = 906,
};

struct Node {
  size_t op;
  Ops after;
};

struct Capture {
  uint64_t origin;
  int thread;
  int mode;
  bool blocking;
  bool invalid = false;
  std::vector<Node> nodes;
};

struct StreamState {
  enum class Kind { Null, PerThread, Blocking, NonBlocking };
  uint64_t id = 0;
  Kind kind = Kind::Blocking;
  int priority = 0;
  std::vector<uint32_t> mask;
  bool ours = false;  // made by the interposer
  Mark last;
  std::shared_ptr<Capture> capture;
  Ops leaves;  // of the capture: nodes, by their operations
  bool blocking() const { return kind == Kind::PerThread || kind == Kind::Blocking; }
};

struct EventState {
  bool ours = false;
  bool recorded = false;
  Mark mark;
  std::shared_ptr<Capture> capture;
  Ops leaves;
};

// The call of the application in which something comes.
struct Caller {
  int thread = 0;
  size_t op = 0;
  bool internal = false;  // a call of the interposer's own
};

// What became of one operation.
struct Outcome {
  bool happened = false;  // it put something on the device, or waited
  Mark after;
  uint64_t stream = 0;   // where it ran
  uint64_t masked = 0;   // the same, where the interposer put it there
  uint32_t mask = 0;     // of that stream, its first word
  uint64_t forked = 0;   // the masked stream that was made to wait for the application\'s
  uint64_t turn = 0;     // in the order of what reached the runtime
  bool on_null = false;  // the interposer put something on the null stream meanwhile
  bool blocks = false;   // a stream came into being that looks at the null stream
  bool faulted = false;  // a call of the interposer's was made to fail
  std::string graph;     // what a capture came to
};

class __attribute__((visibility("default"))) Model {
 public:
  Model(uint64_t seed, int version);

  // --- streams and events; handles are used again at once
  Stream create_stream(const Caller &caller, StreamState::Kind kind, int priority, std::vector<uint32_t> mask);
  Error destroy_stream(const Caller &caller, Stream handle);
  StreamState *stream(const Caller &caller, Stream handle);
  Event create_event(const Caller &caller);
  Error destroy_event(Event handle);
  EventState *event(Event handle);
  void reset_device(const Caller &caller);
  void end_thread(int thread);

  // --- what streams do
  Error work(const Caller &caller, Stream handle, bool payload, Event start = nullptr, Event stop = nullptr);
  Error record(const Caller &caller, Event event, Stream handle, bool payload);
  Error wait(const Caller &caller, Stream handle, Event event, bool payload);
  Error launch_graph(const Caller &caller, uint64_t exec, Stream handle);

  // --- what the host waits for. `ready`: what the program wants a query to find
  Error synchronize(const Caller &caller, Stream handle);
  Error synchronize_event(const Caller &caller, Event event);
  Error synchronize_device(const Caller &caller);
  Error query(const Caller &caller, Stream handle, bool ready);
  Error query_event(const Caller &caller, Event event, bool ready);
  Error copy_and_wait(const Caller &caller, Stream handle);

  // --- captures
  Error begin_capture(const Caller &caller, Stream handle, int mode);
  Error end_capture(const Caller &caller, Stream handle, uint64_t &graph);
  Error capturing(const Caller &caller, Stream handle, bool &active);
  bool blocking_capture() const;
  bool captures() const { return !captures_.empty(); }

  // --- last errors
  Error returns(int thread, Error error);
  Error last_error(int thread);

  // A rule that no runtime may see broken, whatever the order.
  void complain(const std::string &what) { complaints_.push_back(what); }
  const std::vector<std::string> &complaints() const { return complaints_; }
  const std::map<size_t, Outcome> &outcomes() const { return outcomes_; }
  Outcome &outcome(const Caller &caller) { return outcomes_[caller.op]; }
  bool coin(uint32_t percent);

  // The most that may be added: kernels sit on a masked stream as well as on the application's own. By operation.
  std::map<size_t, uint64_t> shadows;

 private:
  uint32_t random();
  Mark reached(const StreamState &stream) const;
  Mark before(const Caller &caller, const StreamState &stream) const;
  StreamState &shadow(uint64_t id);
  void pass(const Caller &caller, StreamState &stream, bool payload, Event start, Event stop);
  void note(const Caller &caller, const StreamState &stream, const Mark &mark);
  void observe(const Caller &caller, const Mark &mark, bool payload);
  Error answer(const Caller &caller, const Mark &mark, bool ready);
  bool unsafe(const Caller &caller);
  void node(StreamState &stream, size_t op);
  void leave_capture(std::shared_ptr<Capture> capture);

  const int version_;
  uint64_t state_;
  uint64_t next_id_ = 10;
  uint64_t turn_ = 0;
  StreamState null_;
  std::map<int, StreamState> per_thread_;
  std::map<Stream, StreamState> streams_;
  std::map<uint64_t, StreamState> shadows_;
  std::map<Event, EventState> events_;
  std::vector<uintptr_t> free_streams_, free_events_;
  std::map<int, Mark> hosts_;
  std::map<int, Error> last_errors_;
  std::set<std::shared_ptr<Capture>> captures_;
  std::vector<std::string> graphs_;
  Ops complete_;
  Ops told_;  // to the interposer: whatever comes later comes after it
  std::map<size_t, Outcome> outcomes_;
  std::vector<std::string> complaints_;
};

}  // namespace eclip::order
