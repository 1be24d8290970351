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

// A launch as an entry point sees it, in the form in which it is compared the fastest.
struct Foreseen {
  const void *function = nullptr;  // null: not known, or never moved
  uint64_t grid_xy = 0, block_xy = 0;
  uint32_t grid_z = 0, block_z = 0;

  Foreseen() = default;
  Foreseen(const void *launched, hip::Dim3 grid, hip::Dim3 block)
      : function(launched), grid_xy(pair(grid)), block_xy(pair(block)), grid_z(grid.z), block_z(block.z) {}
  bool operator==(const Foreseen &other) const {
    return function == other.function && ((grid_xy ^ other.grid_xy) | (block_xy ^ other.block_xy) |
                                          (grid_z ^ other.grid_z) | (block_z ^ other.block_z)) == 0;
  }

 private:
  static uint64_t pair(hip::Dim3 of) { return of.x | uint64_t{of.y} << 32; }
};

// Launches that come as the plan expects and go where the one before them went are answered by comparison alone: no
// name is looked up, no lock taken, nothing counted until the run is over. It is over before the last kernel of a group,
// when another kernel comes, and when a table or the application's streams change.
struct Run {
  const Foreseen *next = nullptr, *end = nullptr;
  hip::Stream stream = nullptr;         // as the application names it
  hip::Stream target = nullptr;         // where they go
  const Ownership *owned = nullptr;     // by this thread, as long as the run lasts; null: no order to keep
  const uint64_t *table_now = nullptr;  // Slot::generation_word and
  const std::atomic<uint64_t> *changes_now = nullptr;  // Streams::changes, which must still be
  uint64_t table = 0;
  uint64_t changes = 0;
  const Runtime *runtime = nullptr;
  struct Track *track = nullptr;
  const Foreseen *begin = nullptr;

  bool expects(const Foreseen &launch, hip::Stream on) const { return next != end && *next == launch && on == stream; }
  bool holds() const {
    return __atomic_load_n(table_now, __ATOMIC_RELAXED) == table &&
           changes_now->load(std::memory_order_acquire) == changes;
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
  // [lane][position]: what was launched there, while Kernels::epoch is `foreseen_epoch`.
  std::vector<std::vector<Foreseen>> foreseen;
  uint32_t foreseen_epoch = 0;
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
