// What the modelled networks' kernels are to the emulated GPU: how much work, and what they do to memory. The rules are
// those of models/functions.py, where they are explained; tests hold the two against each other.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "arguments.h"
#include "eclip/emulator.h"
#include "model.h"

namespace {

using workloads::Arguments;

enum class Kind { gemm, conv, winograd, map, window, row };

struct Rule {
  Kind kind;
  double tile_m, tile_n, block, resident, work, efficiency;
};

constexpr double kCuFlopsPerMicro = 13.4e6 / 60;  // MI50: 13.4 TFLOP/s in fp32 over 60 CUs (AMD's data sheet)
constexpr double kWinogradSaving = 2.25;          // multiplications of direct 3 x 3 over F(2x2, 3x3)
// Even an empty wave of workgroups takes two dependent trips to HBM2 (arguments, then data) of about 0.75 us each:
// an assumption of the model.
constexpr double kWaveFloorMicros = 1.5;

Arguments arguments_of(const eclip_dispatch *dispatch) {
  Arguments a;
  std::memcpy(&a, dispatch->arguments, sizeof a);
  return a;
}

double moved_bytes(const Rule &rule, const Arguments &a) {
  const double m = a.m, n = a.n, k = a.k, z = a.z;
  switch (rule.kind) {
    case Kind::gemm: return 4 * z * (m * k + k * n + m * n);
    case Kind::conv:
    case Kind::winograd: return 4 * z * (m * k * a.stride * a.stride / a.taps + k * n + m * n);
    case Kind::map: return 4 * m * (k + 1);
    case Kind::window: return 4 * (m + n);
    case Kind::row: return 8 * m * n;
  }
  return 0;
}

// Of one workgroup; a tile that hangs over the edge is computed whole.
double workgroup_flops(const Rule &rule, const Arguments &a) {
  switch (rule.kind) {
    case Kind::gemm:
    case Kind::conv: return 2 * rule.tile_m * rule.tile_n * a.k;
    case Kind::winograd: return 2 * rule.tile_m * rule.tile_n * a.k / kWinogradSaving;
    case Kind::map: return rule.tile_m * rule.work;
    case Kind::window: return rule.tile_m * a.k * rule.work;
    case Kind::row: return rule.tile_m * a.n * rule.work;
  }
  return 0;
}

void shape_by(const Rule &rule, const eclip_dispatch *dispatch, eclip_shape *shape) {
  const Arguments a = arguments_of(dispatch);
  shape->workgroups = double(dispatch->workgroups[0]) * dispatch->workgroups[1] * dispatch->workgroups[2];
  shape->workgroups_per_cu = rule.resident;
  shape->wave_micros =
      std::max(kWaveFloorMicros, rule.resident * workgroup_flops(rule, a) / (kCuFlopsPerMicro * rule.efficiency));
  shape->bytes = moved_bytes(rule, a);
}

void effect_by(uint32_t function, const eclip_dispatch *dispatch) {
  Arguments a = arguments_of(dispatch);
  const auto host = [&](const uint32_t *pointer) {
    return static_cast<uint32_t *>(dispatch->host(dispatch, reinterpret_cast<uint64_t>(pointer)));
  };
  a.in0 = host(a.in0);
  a.in1 = host(a.in1);
  a.out = host(a.out);
  a.journal = host(a.journal);
  if (a.in0 && a.in1 && a.out && a.journal) workloads::apply(a, function);
}

#define KERNEL(name, kind, tile_m, tile_n, block, resident, work, efficiency)                   \
  void shape_of_##name(const eclip_dispatch *dispatch, eclip_shape *shape) {                    \
    shape_by({Kind::kind, tile_m, tile_n, block, resident, work, efficiency}, dispatch, shape); \
  }                                                                                             \
  void effect_of_##name(const eclip_dispatch *dispatch) { effect_by(workloads::k_##name, dispatch); }
#include "generated/functions.inc"
#undef KERNEL

const eclip_kernel kernels[] = {
#define KERNEL(name, kind, tile_m, tile_n, block, resident, work, efficiency) \
  {#name, shape_of_##name, effect_of_##name},
#include "generated/functions.inc"
#undef KERNEL
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const eclip_kernel *eclip_kernels(size_t *count) {
  *count = sizeof kernels / sizeof *kernels;
  return kernels;
}
