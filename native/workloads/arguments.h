// The kernels' arguments and what they compute. The same text is compiled for the GPU (kernels.hip.cpp) and for the
// host: the programs' own reference, and the effects of kernels_library.cpp.
//
// The networks are modelled: a kernel has the grid, the work and the memory traffic of its layer, but computes only a
// few words. Every output word depends on the input words, on the launch and, where the kernel accumulates, on what it
// writes over. Besides, every kernel adds itself to a journal, so that a result shows the order of all kernels.
#pragma once

#include <cstdint>

#ifdef __HIPCC__
#define WORKLOADS_BOTH __host__ __device__
#else
#define WORKLOADS_BOTH
#endif

namespace workloads {

constexpr uint32_t kWords = 16;  // of every buffer

struct Arguments {
  uint32_t m, n, k, z, taps, stride;  // shape, see models/functions.py
  uint32_t launch;                    // position in the request
  uint32_t accumulates;
  const uint32_t *in0;
  const uint32_t *in1;
  uint32_t *out;
  uint32_t *journal;
};

// One round of a multiplicative hash (odd constants of xxHash32), not commutative in its operands.
WORKLOADS_BOTH inline uint32_t mix(uint32_t state, uint32_t word) {
  state = (state ^ word) * 0x85ebca77u + 0x9e3779b1u;
  return (state << 13 | state >> 19) * 0xc2b2ae3du;
}

// What one launch of one function mixes into everything.
WORKLOADS_BOTH inline uint32_t identity(const Arguments &a, uint32_t function) {
  uint32_t h = mix(function + 1, a.launch);
  h = mix(mix(h, a.m), a.n);
  return mix(mix(mix(h, a.k), a.z), a.taps * 256 + a.stride);
}

WORKLOADS_BOTH inline uint32_t output_word(const Arguments &a, uint32_t seed, uint32_t i) {
  uint32_t h = mix(seed, i);
  for (uint32_t j = 0; j < 3; ++j) h = mix(h, a.in0[(i + j * 5) % kWords]);
  h = mix(h, a.in1[(i + 7) % kWords]);
  return a.accumulates ? mix(h, a.out[i]) : h;
}

WORKLOADS_BOTH inline uint32_t journal_word(const Arguments &a, uint32_t seed, uint32_t i) {
  return mix(a.journal[i], seed + i);
}

// The whole kernel on the host. All words are read before one is written, as on the GPU.
inline void apply(const Arguments &a, uint32_t function) {
  const uint32_t seed = identity(a, function);
  uint32_t out[kWords];
  for (uint32_t i = 0; i < kWords; ++i) out[i] = output_word(a, seed, i);
  for (uint32_t i = 0; i < kWords; ++i) a.out[i] = out[i];
  for (uint32_t i = 0; i < 2; ++i) a.journal[i] = journal_word(a, seed, i);
}

}  // namespace workloads
