// What the kernels of chain.hip.cpp are on the emulated GPU: long enough that a missing dependency shows.
#include "eclip/emulator.h"

namespace {

constexpr int words = 64;

struct StepArguments {
  uint64_t data;
  uint32_t step;
};

struct FoldArguments {
  uint64_t data, other;
};

uint32_t *host(const eclip_dispatch *dispatch, uint64_t address) {
  return static_cast<uint32_t *>(dispatch->host(dispatch, address));
}

void mix(const eclip_dispatch *dispatch) {
  const auto *arguments = static_cast<const StepArguments *>(dispatch->arguments);
  uint32_t *data = host(dispatch, arguments->data);
  for (int at = 0; at < words; ++at) {
    data[at] = data[at] * 1664525u + arguments->step + dispatch->workgroups[0];
  }
}

void twist(const eclip_dispatch *dispatch) {
  const auto *arguments = static_cast<const StepArguments *>(dispatch->arguments);
  uint32_t *data = host(dispatch, arguments->data);
  for (int at = 0; at < words; ++at) {
    data[at] ^= (data[at] << 7) ^ arguments->step;
  }
}

void fold(const eclip_dispatch *dispatch) {
  const auto *arguments = static_cast<const FoldArguments *>(dispatch->arguments);
  uint32_t *data = host(dispatch, arguments->data);
  const uint32_t *other = host(dispatch, arguments->other);
  for (int at = 0; at < words; ++at) {
    data[at] += 31 * other[at];
  }
}

void shape(const eclip_dispatch *dispatch, eclip_shape *shape) {
  shape->workgroups = static_cast<double>(dispatch->workgroups[0]) * dispatch->workgroups[1];
  shape->workgroups_per_cu = 1;
  shape->wave_micros = 20;
  shape->bytes = 0;
}

const eclip_kernel kernels[] = {{"mix", shape, mix}, {"twist", shape, twist}, {"fold", shape, fold}};

}  // namespace

extern "C" __attribute__((visibility("default"))) const eclip_kernel *eclip_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
