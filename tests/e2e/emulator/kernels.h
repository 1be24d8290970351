/* The kernels of the tests. Their code on the device is never run; what they take and do is in effects.cpp. `micros` is
 * the time of one wave of workgroups, one workgroup to a CU. */
#pragma once

#include <hip/hip_runtime.h>

extern "C" {
__global__ void test_spin(double micros);
/* y += a, of n elements. */
__global__ void test_add(double micros, float *y, float a, int n);
/* y = y * a + b: what comes first matters. */
__global__ void test_mix(double micros, float *y, float a, float b, int n);
/* log[0] counts, the rest are ids in the order in which the kernels were done. */
__global__ void test_append(double micros, int *log, int id);
/* Moves that many bytes of memory. */
__global__ void test_traffic(double bytes);
}

template <typename T>
__global__ void test_scale(double micros, T *y, T a, int n) {
  (void)micros;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) y[i] *= a;
}
