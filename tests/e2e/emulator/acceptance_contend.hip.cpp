#include <chrono>
#include <fstream>
#include <thread>

#include "acceptance.h"

/* One of several processes on one chip. Says that it is ready, waits for the word, then keeps one masked stream busy.
 * Environment: CONTEND_FOLDER, CONTEND_NAME, CONTEND_PATTERN (mask, 32 bits, repeated), CONTEND_KERNELS. */
TEST(contend) {
  const std::string folder = std::getenv("CONTEND_FOLDER");
  const auto pattern = static_cast<uint32_t>(std::stoul(std::getenv("CONTEND_PATTERN"), nullptr, 16));
  const int kernels = std::atoi(std::getenv("CONTEND_KERNELS"));
  hipStream_t stream = masked_stream(pattern, pattern & 0x0fffffff);
  auto *y = device_array<float>(1);
  test_mix<<<1, 64, 0, stream>>>(1.0, y, 1.0f, 0.0f, 1);
  HIP(hipDeviceSynchronize());
  std::ofstream(folder + "/ready-" + std::getenv("CONTEND_NAME")).flush();
  while (!std::ifstream(folder + "/go")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  float wanted = 0;
  for (int i = 0; i < kernels; i++) {
    const double micros = 50 + 37 * (i % 5);
    test_mix<<<16 + 16 * (i % 4), 64, 0, stream>>>(micros, y, 0.5f, static_cast<float>(i), 1);
    wanted = wanted * 0.5f + static_cast<float>(i);
    if (i % 8 == 7) test_traffic<<<240, 64, 0, stream>>>(2e7 * (1 + i % 3));
    if (i % 50 == 49) HIP(hipStreamSynchronize(stream));
  }
  HIP(hipStreamSynchronize(stream));
  EXPECT(device_value(y) == wanted);
}
