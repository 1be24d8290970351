/* The acceptance tests of the emulated GPU: HIP programs that know nothing of it. One process runs one test, by name. */
#pragma once

#include <hip/hip_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "kernels.h"

using TestBody = void (*)();

inline std::map<std::string, TestBody> &tests() {
  static std::map<std::string, TestBody> all;
  return all;
}

struct Enlist {
  Enlist(const char *name, TestBody body) { tests()[name] = body; }
};

#define TEST(name)                                            \
  static void test_body_##name();                             \
  static const Enlist enlist_##name(#name, test_body_##name); \
  static void test_body_##name()

#define EXPECT(condition)                                                          \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::_Exit(1);                                                               \
    }                                                                              \
  } while (0)

#define HIP(call)                                                                                        \
  do {                                                                                                   \
    const hipError_t hip_result = (call);                                                                \
    if (hip_result != hipSuccess) {                                                                      \
      std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, hipGetErrorString(hip_result)); \
      std::_Exit(1);                                                                                     \
    }                                                                                                    \
  } while (0)

constexpr int whole_gpu = 60; /* workgroups: one on every CU of an MI50 */

template <typename T>
T *device_array(size_t count) {
  T *array = nullptr;
  HIP(hipMalloc(&array, count * sizeof(T)));
  HIP(hipMemset(array, 0, count * sizeof(T)));
  return array;
}

template <typename T>
T device_value(const T *from) {
  T value;
  HIP(hipMemcpy(&value, from, sizeof value, hipMemcpyDeviceToHost));
  return value;
}

inline hipStream_t plain_stream(unsigned flags = hipStreamNonBlocking) {
  hipStream_t stream;
  HIP(hipStreamCreateWithFlags(&stream, flags));
  return stream;
}

inline hipStream_t masked_stream(uint32_t low, uint32_t high) {
  hipStream_t stream;
  const uint32_t mask[2] = {low, high};
  HIP(hipExtStreamCreateWithCUMask(&stream, 2, mask));
  return stream;
}

inline hipEvent_t plain_event(unsigned flags = hipEventDefault) {
  hipEvent_t event;
  HIP(hipEventCreateWithFlags(&event, flags));
  return event;
}

inline double elapsed_micros(hipEvent_t begin, hipEvent_t end) {
  float millis = 0;
  HIP(hipEventElapsedTime(&millis, begin, end));
  return millis * 1e3;
}
