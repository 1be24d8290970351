#include "kernels.h"

namespace {

__device__ int thread_number() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

}  // namespace

__global__ void test_spin(double) {}

__global__ void test_add(double, float *y, float a, int n) {
  if (thread_number() < n) y[thread_number()] += a;
}

__global__ void test_mix(double, float *y, float a, float b, int n) {
  if (thread_number() < n) y[thread_number()] = y[thread_number()] * a + b;
}

__global__ void test_append(double, int *log, int id) { log[1 + log[0]] = id; }

__global__ void test_traffic(double) {}
