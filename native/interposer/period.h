// Finds the request in a sequence of launches: the shortest part that the sequence is a repetition of. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace eclip {

// One launch as the search sees it.
struct Recorded {
  uint32_t item;        // which kernel, on which stream
  bool waited;          // the host had waited for the device since the launch before
  uint32_t gap_micros;  // host time since the launch before
  uint64_t mark;        // number of the request that the application marks; 0: it marks none
};

struct Cycle {
  size_t begin;  // index of one whole request in the sequence
  size_t length;
  bool operator==(const Cycle &other) const { return begin == other.begin && length == other.length; }
};

// The smallest p with items[i] == items[i + p] wherever both exist; the whole length if there is none.
size_t smallest_period(const std::vector<uint32_t> &items);

// What repeats at the end of the sequence, if it has done so often enough to be believed. Where the application marks
// its requests, three equal ones in a row. Else the host's waits take part in the comparison, so that equal layers of a
// network are not taken for requests; a sequence without waits must be longer. The request begins where the host pauses
// the longest.
std::optional<Cycle> find_cycle(const std::vector<Recorded> &sequence);

}  // namespace eclip
