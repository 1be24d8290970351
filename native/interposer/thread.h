// What one host thread keeps: caches, its cursors, its marked ranges. Only that thread touches it.
#pragma once

#include <memory>
#include <vector>

#include "cursor.h"
#include "kernels.h"
#include "stats.h"
#include "streams.h"

namespace eclip {

// Launches of one kind that are not in the shared counters yet: an atomic addition costs as much as the rest of our work.
// They are added at the end of a request, before anything of another kind, and after so many of them.
struct Pending {
  static constexpr uint32_t most = 32;
  eclip_model_counters *model = nullptr;  // null: of no model
  bool redirected = false;
  eclip_reason why = ECLIP_PASS_WHOLE_GPU;  // where not redirected
  uint32_t count = 0;

  void add(eclip_counters &counters, eclip_model_counters *of, bool moved, eclip_reason reason);
  void again(eclip_counters &counters, uint32_t times);  // the last one
  void flush(eclip_counters &counters);
};

// Launches that come as the plan expects and go where the one before them went are answered by comparison alone: no
// name is looked up, no lock taken, nothing counted until the run is over. It is over before the last kernel of a group,
// when another kernel comes, and when a table or the application's streams change.
struct Run {
  struct Track *track = nullptr;
  AppStream *owned = nullptr;              // by this thread, as long as the run lasts; null: no order to keep
  hip::Stream stream = nullptr;            // as the application names it
  hip::Stream target = nullptr;            // where they go
  const KernelKey *keys = nullptr;         // Plan::keys
  const uint32_t *lane = nullptr;          // Lane::keys and
  const void *const *functions = nullptr;  // Track::functions from the first kernel of the run on
  uint32_t done = 0;
  uint32_t length = 0;
  uint32_t kernels = 0;  // Kernels::epoch,
  uint64_t streams = 0;  // Streams::changes and
  uint64_t table = 0;    // Slot::generation that it holds for

  bool expects(const void *function, hip::Dim3 grid, hip::Dim3 block, hip::Stream on) const {
    if (done == length || functions[done] != function || on != stream) {
      return false;
    }
    const KernelKey &key = keys[lane[done]];
    return key.grid[0] == grid.x && key.grid[1] == grid.y && key.grid[2] == grid.z && key.block[0] == block.x &&
           key.block[1] == block.y && key.block[2] == block.z;
  }
};

// Where this thread is on one application stream.
struct Track {
  uint64_t stream_id = 0;
  std::shared_ptr<const Plan> plan;
  Cursor cursor;
  eclip_counters *counters = nullptr;
  Pending pending;
  uint64_t asked_generation = 0;  // newest that was looked at, refused ones included
  uint64_t request_began_ns = 0;
  uint64_t mark = 0;  // Marks::count at the last launch
  // [lane][position]: what was launched there, while Kernels::epoch is `functions_epoch`; null: not known or never moved.
  std::vector<std::vector<const void *>> functions;
  uint32_t functions_epoch = 0;
};

// Ranges that the application marks. Push/Pop nest; the outermost one is the request, as is a Start/Stop range outside
// of any other.
struct Marks {
  uint32_t depth = 0;
  uint64_t began_ns = 0;
  uint64_t open_range = 0;                // id of a Start/Stop range; 0: none
  uint64_t count = 0;                     // requests begun; 0: this thread marks nothing
  eclip_model_counters *model = nullptr;  // of the last launch inside the range
};

struct Thread {
  Kernels::Cache kernels;
  StreamCache streams;
  Marks marks;
  Run run;
  Seat *const seat = Seat::get();
  bool waited = false;  // for the device, since the last launch
  std::vector<std::unique_ptr<Track>> tracks;
  size_t last_track = 0;

  Thread() = default;
  ~Thread();
  Thread(const Thread &) = delete;
  Thread &operator=(const Thread &) = delete;
  Track &track(uint64_t stream_id);
  void leave_run();
};

}  // namespace eclip
