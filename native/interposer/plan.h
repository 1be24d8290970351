// A table as the launch path wants it: immutable, every index checked, every choice spread out per kernel.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel_key.h"
#include "masks.h"

namespace eclip {

// What a launch may be given instead of a masked stream's index.
constexpr int whole_gpu = -1;       // the application's own stream
constexpr int unknown_kernel = -2;  // the plan does not know it

enum class StreamKind : uint8_t { Null, Blocking, NonBlocking, Unknown };

// The kernels of one model that the application launches on one of its streams. A cursor follows one lane.
struct Lane {
  uint32_t model = 0;
  StreamKind kind = StreamKind::Unknown;
  bool first = false;           // holds the model's first kernel: its passes are the model's requests
  std::vector<uint32_t> keys;   // index into Plan::keys, in launch order
  std::vector<uint32_t> index;  // the kernel's place in the model
};

struct Place {
  uint32_t lane, position;
};

struct PlanVariant {
  uint64_t active = 0;
  std::vector<std::vector<int16_t>> streams;  // [lane][position]: masked stream or whole_gpu
  std::vector<bool> uniform;                  // [lane]: all of it goes to one stream
  std::vector<int16_t> usual;                 // [key]: what most launches of this kernel get, for a lost cursor
};

struct Plan {
  uint64_t generation = 0;
  uint32_t compute_units = 0;
  std::string product;
  std::vector<CuSet> sets;  // the masked streams
  std::vector<std::string> models;
  std::vector<Lane> lanes;
  std::vector<KernelKey> keys;  // distinct kernels
  std::unordered_map<KernelKey, uint32_t, KernelKeyHash> key_index;
  std::vector<std::vector<Place>> places;  // [key]
  std::vector<PlanVariant> variants;       // empty in profile mode
  bool profiling = false;                  // kernels are to be timed on each of the sets
  uint32_t warm_up_requests = 3;
  uint32_t repeats = 9;

  // The variant for a set of active workers; 0 serves every set that has none of its own.
  uint32_t variant_for(uint64_t active) const {
    for (uint32_t index = 0; index < variants.size(); ++index) {
      if (variants[index].active == active) {
        return index;
      }
    }
    return 0;
  }
};

}  // namespace eclip
