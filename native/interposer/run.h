// Launches that come as the plan expects and go where the one before them went: answered by comparison alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "hip_abi.h"
#include "ownership.h"
#include "runtime.h"

namespace eclip {

struct Track;

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

// What one thread has launched at the places of one lane.
struct SeenLane {
  std::vector<Foreseen> at;
  uint32_t known = 0;

  void learn(uint32_t position, const Foreseen &launch) {
    known += at[position].function ? 0 : 1;
    at[position] = launch;
  }
};

// No name is looked up, no lock taken, nothing counted until the run is over. It is over when another kernel comes, when
// a table or the application's streams change, and before the last kernel of a group. Where a whole request goes to one
// stream the run turns: it goes on with the next request, while requests are short. What it has not counted yet is never
// more than `step` launches or what came in about a millisecond; a call that waits for the GPU has ended requests counted.
struct Run {
  static constexpr uint32_t step = 32;
  static constexpr uint32_t most_turns = 128;
  static constexpr uint64_t most_ticks = 1u << 21;  // of the CPU's counter: half a millisecond to two

  const Foreseen *next = nullptr, *end = nullptr;  // looked at anew at `end`
  hip::Stream stream = nullptr;                    // as the application names it
  hip::Stream target = nullptr;                    // where they go
  const Ownership *owned = nullptr;                // by this thread, as long as the run lasts; null: no order to keep
  const uint64_t *table_now = nullptr;             // Slot::generation_word and
  const std::atomic<uint64_t> *changes_now = nullptr;  // Streams::changes, which must still be
  uint64_t table = 0;
  uint64_t changes = 0;
  const Runtime *runtime = nullptr;

  Track *track = nullptr;
  const Foreseen *first = nullptr, *limit = nullptr;  // the lane's first kernel; behind the last one that is foreseen
  const Foreseen *begin = nullptr;
  bool turns = false;                    // `limit` is the end of the lane, behind which it begins anew
  const uint64_t *active_now = nullptr;  // Slot::active_word, which must still be `active` where it turns
  uint64_t active = 0;
  uint64_t opened = 0;  // in ticks
  uint32_t turned = 0;
  uint64_t starts[most_turns];  // of requests, in ticks; the first `turned` hold

  bool expects(const Foreseen &launch, hip::Stream on) {
    return (next != end || (next && go_on())) && *next == launch && on == stream;
  }
  bool holds() const {
    return __atomic_load_n(table_now, __ATOMIC_RELAXED) == table &&
           changes_now->load(std::memory_order_acquire) == changes;
  }
  // Requests that have ended and are not counted yet.
  uint32_t ended() const { return turns ? turned + (next == limit ? 1 : 0) - (begin == limit ? 1 : 0) : 0; }
  void open(const Foreseen *at);
  void leave();

 private:
  bool go_on();
  const Foreseen *pause() const;
  void count(uint32_t launches, uint32_t requests);
};

}  // namespace eclip
