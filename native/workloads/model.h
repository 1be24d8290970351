// What a modelled network launches in one request: the data that models/generate.py writes from the layers' shapes.
#pragma once

#include <cstdint>

namespace workloads {

enum Function : uint16_t {
#define KERNEL(name, kind, tile_m, tile_n, block, resident, work, efficiency) k_##name,
#include "generated/functions.inc"
#undef KERNEL
  k_count
};

// Shape arguments that grow with the batch, bits of Row::scales.
enum Scale : uint8_t { kScaleM = 1, kScaleN = 2, kScaleK = 4, kScaleZ = 8 };

// One launch, for one sample.
struct Row {
  Function function;
  uint8_t scales;
  uint8_t taps;
  uint8_t stride;
  uint8_t accumulates;  // writes over a tensor that it reads
  uint32_t m, n, k, z;
  uint16_t in0, in1, out;  // buffers
};

struct Model {
  const char *name;
  uint32_t batch;  // samples in a request, unless told otherwise
  const Row *rows;
  uint32_t count;
  uint32_t activations;  // buffers 0..activations-1: journal, input, activations; parameters come behind them
  uint32_t parameters;
  bool stateful;  // a request changes parameters: the next one's result depends on it
};

extern const Model albert, alexnet, densenet201, resnet152, resnext101, shufflenet, training, vgg19;

}  // namespace workloads
