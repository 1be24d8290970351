// What one host thread keeps: caches, its cursors, its marked ranges. Only that thread touches it.
#pragma once

#include <memory>
#include <vector>

#include "cursor.h"
#include "kernels.h"
#include "request_clock.h"
#include "run.h"
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

// Where this thread is on one application stream.
struct Track {
  uint64_t stream_id = 0;
  std::shared_ptr<const Plan> plan;
  Cursor cursor;
  eclip_counters *counters = nullptr;
  Pending pending;
  uint64_t asked_generation = 0;  // newest that was looked at, refused ones included
  RequestClock clock;
  uint64_t mark = 0;           // Marks::count at the last launch
  std::vector<SeenLane> seen;  // [lane], while Kernels::epoch is `seen_epoch`
  uint32_t seen_epoch = 0;
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
  // Counts requests that have ended: the GPU, or a reader of the counters, is waited for now.
  void settle() {
    if (run.ended() != 0) {
      run.leave();
    }
  }
};

}  // namespace eclip
