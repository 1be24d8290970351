// Carries out the operations of a program, one at a time, over some HIP entries.
#pragma once

#include "run.h"

namespace eclip::order {

// Of a stream that there never was.
const auto bogus_stream = reinterpret_cast<Stream>(uintptr_t{0x7f00deadbee0});

class Player {
 public:
  Player(const Program &program, const Hip &hip, SlotFolder *slot) : program_(program), hip_(hip), slot_(slot) {
    streams_[1] = hip::per_thread();
    streams_[2] = reinterpret_cast<Stream>(hip::legacy_handle);
  }

  Answer play(size_t at);
  Stream target(const Op &launch) const {
    return launch.way == 3 && launch.stream == 0 ? hip::per_thread() : stream(launch);
  }

 private:
  template <class... Parameters, class... Arguments>
  Error call(Kind kind, Error (*entry)(Parameters...), Arguments... arguments) {
    now_.kind = kind;
    set_now(now_);
    answer_.made = true;
    answer_.error = entry(arguments...);
    set_now({});
    return answer_.error;
  }

  Stream stream(const Op &op) const {
    return op.stream >= own_streams && !streams_[op.stream] ? bogus_stream : streams_[op.stream];
  }
  bool alive(const Op &op) const { return op.stream < own_streams || streams_[op.stream]; }

  void create(const Op &op);
  void destroy(const Op &op);
  void create_event(const Op &op);
  void drop_event(const Op &op);
  Function function(int kernel) const;
  void launch(const Op &op);
  void launch_handle(const Op &op, Function handle, Dim3 grid, Dim3 block, uint32_t shared, Event stop);
  void work(const Op &op);
  void record(const Op &op);
  void wait(const Op &op);
  void host(const Op &op);
  void rare(const Op &op);
  void swap(int table);
  void begin_capture(const Op &op);
  void load(const Op &op);
  const Program &program_;
  const Hip &hip_;
  SlotFolder *const slot_;
  Answer answer_;
  Now now_;
  Stream streams_[most_streams] = {};
  Event events_[most_events] = {};
  Graph graphs_[most_graphs] = {};
  GraphExec execs_[most_graphs] = {};
  Module modules_[most_modules] = {};
  Function functions_[most_modules][kernel_count] = {};
  bool last_open_[most_threads] = {};
};

}  // namespace eclip::order
