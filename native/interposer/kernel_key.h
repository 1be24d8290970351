// What tells one launch from another: the kernel's name (as a number of this process) and its shape.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eclip {

using NameId = uint32_t;
constexpr NameId no_name = 0;

struct KernelKey {
  NameId name = no_name;
  uint32_t grid[3] = {};   // workgroups
  uint32_t block[3] = {};  // work-items

  bool operator==(const KernelKey &other) const {
    return name == other.name && grid[0] == other.grid[0] && grid[1] == other.grid[1] && grid[2] == other.grid[2] &&
           block[0] == other.block[0] && block[1] == other.block[1] && block[2] == other.block[2];
  }
};

struct KernelKeyHash {
  size_t operator()(const KernelKey &key) const {
    uint64_t hash = key.name;
    for (int axis = 0; axis < 3; ++axis) {
      hash = (hash ^ key.grid[axis]) * 0x9e3779b97f4a7c15u;
      hash = (hash ^ (hash >> 29) ^ key.block[axis]) * 0xbf58476d1ce4e5b9u;
    }
    return static_cast<size_t>(hash ^ (hash >> 32));
  }
};

}  // namespace eclip
