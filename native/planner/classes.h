// How paths are sorted into classes of hops, in one place for all searches.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "eclip/planner.h"

namespace eclip {

// The first sizes that must be searched apart. Where the wrap is free, one search serves all (-1).
inline std::vector<int> firsts(const eclip_paths &paths) {
  if (!paths.circular) return {-1};
  std::vector<int> all(paths.sizes);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

inline bool wraps(const eclip_paths &paths, int first, uint32_t last) {
  return paths.circular && static_cast<uint32_t>(first) != last;
}

}  // namespace eclip
