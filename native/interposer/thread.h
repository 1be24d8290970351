// What one host thread keeps: caches, its cursors, its marked ranges. Only that thread touches it.
#pragma once

#include <memory>
#include <vector>

#include "cursor.h"
#include "kernels.h"
#include "stats.h"
#include "streams.h"

namespace eclip {

// Where this thread is on one application stream.
struct Track {
  uint64_t stream_id = 0;
  std::shared_ptr<const Plan> plan;
  Cursor cursor;
  eclip_counters *counters = nullptr;
  uint64_t asked_generation = 0;  // newest that was looked at, refused ones included
  uint64_t request_began_ns = 0;
  uint64_t mark = 0;  // Marks::count at the last launch
};

// Ranges that the application marks. Push/Pop nest; the outermost one is the request, as is a Start/Stop range outside
// of any other.
struct Marks {
  uint32_t depth = 0;
  uint64_t began_ns = 0;
  uint64_t open_range = 0;  // id of a Start/Stop range; 0: none
  uint64_t count = 0;       // requests begun; 0: this thread marks nothing
  eclip_model_counters *model = nullptr;  // of the last launch inside the range
};

struct Thread {
  Kernels::Cache kernels;
  StreamCache streams;
  Marks marks;
  bool waited = false;  // for the device, since the last launch
  std::vector<std::unique_ptr<Track>> tracks;
  size_t last_track = 0;

  Track &track(uint64_t stream_id);
};

}  // namespace eclip
