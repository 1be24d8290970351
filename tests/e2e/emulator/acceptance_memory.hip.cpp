#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "acceptance.h"

__device__ int device_symbol[4];

namespace {

void add_five(float *y) {
  test_add<<<1, 64>>>(10.0, y, 5.0f, 1);
  HIP(hipDeviceSynchronize());
}

}  // namespace

TEST(basic) {
  void *small = nullptr;
  HIP(hipMalloc(&small, 4));
  HIP(hipFree(small));
}

TEST(copies) {
  constexpr int n = 1'000'000;
  std::vector<float> host(n), back(n);
  std::iota(host.begin(), host.end(), 0.0f);
  auto *a = device_array<float>(n), *b = device_array<float>(n);
  HIP(hipMemcpy(a, host.data(), n * sizeof(float), hipMemcpyHostToDevice));
  HIP(hipMemcpy(b, a, n * sizeof(float), hipMemcpyDeviceToDevice));
  HIP(hipMemcpyAsync(back.data(), b, n * sizeof(float), hipMemcpyDeviceToHost, nullptr));
  HIP(hipDeviceSynchronize());
  EXPECT(host == back);
}

TEST(pinned) {
  float *y;
  HIP(hipHostMalloc(reinterpret_cast<void **>(&y), 4096, hipHostMallocDefault));
  y[0] = 1;
  add_five(y);
  EXPECT(y[0] == 6);
  HIP(hipHostFree(y));
}

TEST(zerocopy) {
  float *y, *seen_by_gpu;
  HIP(hipHostMalloc(reinterpret_cast<void **>(&y), 4096, hipHostMallocMapped));
  HIP(hipHostGetDevicePointer(reinterpret_cast<void **>(&seen_by_gpu), y, 0));
  y[0] = 2;
  add_five(seen_by_gpu);
  EXPECT(y[0] == 7);
}

TEST(managed) {
  float *y;
  HIP(hipMallocManaged(reinterpret_cast<void **>(&y), 4096));
  y[0] = 3;
  add_five(y);
  EXPECT(y[0] == 8);
}

TEST(registered) {
  constexpr size_t bytes = 1 << 20;
  auto *y = static_cast<float *>(std::aligned_alloc(4096, bytes));
  for (int round = 0; round < 2; round++) {
    y[0] = 4;
    float *seen_by_gpu;
    HIP(hipHostRegister(y, bytes, hipHostRegisterDefault));
    HIP(hipHostGetDevicePointer(reinterpret_cast<void **>(&seen_by_gpu), y, 0));
    add_five(seen_by_gpu);
    EXPECT(y[0] == 9);
    HIP(hipHostUnregister(y));
  }
}

TEST(bigpinned) {
  constexpr size_t bytes = 64 << 20, length = bytes - 5;
  std::vector<char> host(bytes), back(bytes);
  for (size_t i = 0; i < bytes; i++) host[i] = static_cast<char>(i * 2654435761U >> 13);
  auto *device = device_array<char>(bytes);
  HIP(hipMemcpy(device + 1, host.data() + 3, length, hipMemcpyHostToDevice));
  HIP(hipMemcpy(back.data() + 3, device + 1, length, hipMemcpyDeviceToHost));
  EXPECT(std::memcmp(back.data() + 3, host.data() + 3, length) == 0);
}

TEST(pitched) {
  constexpr size_t width = 60, height = 64;
  std::vector<unsigned char> host(width * height), back(width * height);
  std::iota(host.begin(), host.end(), 0);
  void *a, *b;
  size_t pitch_a, pitch_b;
  HIP(hipMallocPitch(&a, &pitch_a, width, height));
  HIP(hipMallocPitch(&b, &pitch_b, 3 * width, height));
  HIP(hipMemcpy2D(a, pitch_a, host.data(), width, width, height, hipMemcpyHostToDevice));
  auto *odd = static_cast<char *>(b) + 7;
  HIP(hipMemcpy2D(odd, pitch_b, a, pitch_a, width, height, hipMemcpyDeviceToDevice));
  HIP(hipMemcpy2D(back.data(), width, odd, pitch_b, width, height, hipMemcpyDeviceToHost));
  EXPECT(host == back);
  HIP(hipMemset2D(a, pitch_a, 0x5a, width - 3, height));
  HIP(hipMemcpy2D(back.data(), width, a, pitch_a, width, height, hipMemcpyDeviceToHost));
  for (size_t row = 0; row < height; row++)
    for (size_t column = 0; column < width; column++) {
      const unsigned char wanted = column < width - 3 ? 0x5a : host[row * width + column];
      EXPECT(back[row * width + column] == wanted);
    }
}

TEST(memsets) {
  constexpr size_t bytes = 100'000;
  std::vector<unsigned char> back(bytes);
  auto *device = device_array<unsigned char>(bytes);
  HIP(hipMemset(device + 3, 0xab, 77'777));
  HIP(hipMemcpy(back.data(), device, bytes, hipMemcpyDeviceToHost));
  EXPECT(back[2] == 0 && back[3] == 0xab && back[77'779] == 0xab && back[77'780] == 0);
  HIP(hipMemsetD16(device, 0x1234, 1001));
  HIP(hipMemsetD32(device + 40'000, 0x12345678, 1003));
  HIP(hipMemcpy(back.data(), device, bytes, hipMemcpyDeviceToHost));
  EXPECT(back[0] == 0x34 && back[1] == 0x12 && back[2001] == 0x12 && back[2002] == 0xab);
  EXPECT(back[39'999] == 0xab && back[40'000] == 0x78 && back[44'011] == 0x12 && back[44'012] == 0xab);
}

TEST(symbols) {
  const int values[4] = {1, 2, 3, 4};
  int back[4] = {};
  HIP(hipMemcpyToSymbol(HIP_SYMBOL(device_symbol), values, sizeof values));
  HIP(hipMemcpyFromSymbol(back, HIP_SYMBOL(device_symbol), sizeof back));
  EXPECT(std::equal(values, values + 4, back));
}

TEST(bigalloc) {
  void *most = nullptr, *more = nullptr;
  HIP(hipMalloc(&most, 12ULL << 30));
  EXPECT(hipMalloc(&more, 40ULL << 30) == hipErrorOutOfMemory);
  EXPECT(hipMalloc(&more, 6ULL << 30) == hipErrorOutOfMemory);
  HIP(hipFree(most));
  HIP(hipMalloc(&more, 6ULL << 30));
}

TEST(mallocasync) {
  hipStream_t stream = plain_stream();
  float *y = nullptr;
  HIP(hipMallocAsync(reinterpret_cast<void **>(&y), 4096, stream));
  HIP(hipMemsetAsync(y, 0, 4096, stream));
  test_add<<<1, 64, 0, stream>>>(10.0, y, 5.0f, 1);
  HIP(hipStreamSynchronize(stream));
  EXPECT(device_value(y) == 5);
  HIP(hipFreeAsync(y, stream));
}

TEST(ipc) {
  void *memory = device_array<char>(4096);
  hipIpcMemHandle_t handle;
  EXPECT(hipIpcGetMemHandle(&handle, memory) != hipSuccess); /* not offered, and said so */
}

TEST(device_reset) {
  device_array<char>(4096);
  HIP(hipDeviceReset());
  auto *y = device_array<float>(1);
  add_five(y);
  EXPECT(device_value(y) == 5);
}
