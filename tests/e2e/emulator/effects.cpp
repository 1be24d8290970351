/* What the kernels of kernels.h take and do, by the ABI of the emulated GPU's kernel libraries. */
#include <cstring>
#include <type_traits>

#include "eclip/emulator.h"

namespace {

/* Explicit arguments lie at their natural alignment, in order. */
class Arguments {
 public:
  explicit Arguments(const eclip_dispatch &dispatch) : dispatch_(dispatch) {}

  template <typename T>
  T next() {
    offset_ = (offset_ + alignof(T) - 1) / alignof(T) * alignof(T);
    T value;
    std::memcpy(&value, static_cast<const char *>(dispatch_.arguments) + offset_, sizeof value);
    offset_ += sizeof value;
    if constexpr (std::is_pointer_v<T>)
      return static_cast<T>(dispatch_.host(&dispatch_, reinterpret_cast<uint64_t>(value)));
    else
      return value;
  }

 private:
  const eclip_dispatch &dispatch_;
  size_t offset_ = 0;
};

double workgroups(const eclip_dispatch &dispatch) {
  return static_cast<double>(dispatch.workgroups[0]) * dispatch.workgroups[1] * dispatch.workgroups[2];
}

void waves(const eclip_dispatch *dispatch, eclip_shape *shape) {
  *shape = {workgroups(*dispatch), 1, Arguments(*dispatch).next<double>(), 0};
}

void traffic(const eclip_dispatch *dispatch, eclip_shape *shape) {
  *shape = {workgroups(*dispatch), 1, 0, Arguments(*dispatch).next<double>()};
}

void add(const eclip_dispatch *dispatch) {
  Arguments arguments(*dispatch);
  arguments.next<double>();
  auto *y = arguments.next<float *>();
  const auto a = arguments.next<float>();
  const auto n = arguments.next<int>();
  for (int i = 0; i < n; i++) y[i] += a;
}

void mix(const eclip_dispatch *dispatch) {
  Arguments arguments(*dispatch);
  arguments.next<double>();
  auto *y = arguments.next<float *>();
  const auto a = arguments.next<float>();
  const auto b = arguments.next<float>();
  const auto n = arguments.next<int>();
  for (int i = 0; i < n; i++) y[i] = y[i] * a + b;
}

void append(const eclip_dispatch *dispatch) {
  Arguments arguments(*dispatch);
  arguments.next<double>();
  auto *log = arguments.next<int *>();
  log[1 + log[0]++] = arguments.next<int>();
}

void scale(const eclip_dispatch *dispatch) {
  Arguments arguments(*dispatch);
  arguments.next<double>();
  auto *y = arguments.next<float *>();
  const auto a = arguments.next<float>();
  const auto n = arguments.next<int>();
  for (int i = 0; i < n; i++) y[i] *= a;
}

constexpr eclip_kernel kernels[] = {
    {"test_spin", waves, nullptr},  {"test_add", waves, add},           {"test_mix", waves, mix},
    {"test_append", waves, append}, {"test_traffic", traffic, nullptr}, {"_Z10test_scaleIfEvdPT_S0_i", waves, scale},
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const eclip_kernel *eclip_kernels(size_t *count) {
  *count = sizeof kernels / sizeof kernels[0];
  return kernels;
}
