#include <hip/hip_ext.h>

#include <algorithm>
#include <vector>

#include "acceptance.h"

namespace {

constexpr uint32_t all_low = 0xffffffff, all_high = 0x0fffffff;
/* Bit b of the mask is a CU of shader engine b mod 4. */
constexpr uint32_t engine_0 = 0x11111111, engine_3 = 0x88888888;
constexpr uint32_t engines_01 = 0x33333333, engines_23 = 0xcccccccc;

hipStream_t engines_stream(uint32_t pattern) { return masked_stream(pattern, pattern & all_high); }

/* GPU time from the moment when everything may start to the end of what `enqueue` puts on the streams. All of it is in
 * the queues by then, so that the host's own speed does not matter. */
template <typename Enqueue>
double gated(const std::vector<hipStream_t> &streams, Enqueue enqueue) {
  hipStream_t gate = plain_stream();
  hipEvent_t open = plain_event();
  uint32_t *word;
  HIP(hipExtMallocWithFlags(reinterpret_cast<void **>(&word), 8, hipMallocSignalMemory));
  __atomic_store_n(word, 0, __ATOMIC_RELEASE);
  HIP(hipStreamWaitValue32(gate, word, 1, hipStreamWaitValueEq, 0xffffffff));
  HIP(hipEventRecord(open, gate));
  std::vector<hipEvent_t> done;
  for (hipStream_t stream : streams) {
    HIP(hipStreamWaitEvent(stream, open, 0));
    enqueue(stream);
    done.push_back(plain_event());
    HIP(hipEventRecord(done.back(), stream));
  }
  __atomic_store_n(word, 1, __ATOMIC_RELEASE);
  for (hipStream_t stream : streams) HIP(hipStreamSynchronize(stream));
  double latest = 0;
  for (hipEvent_t event : done) latest = std::max(latest, elapsed_micros(open, event));
  HIP(hipStreamDestroy(gate));
  return latest;
}

/* The least of three: a host that is interrupted between two packets only adds to it. */
double together(const std::vector<hipStream_t> &streams, int count, double micros) {
  double least = 1e9;
  for (int round = 0; round < 3; round++)
    least = std::min(least, gated(streams, [&](hipStream_t stream) {
                       for (int i = 0; i < count; i++) test_spin<<<whole_gpu, 64, 0, stream>>>(micros);
                     }));
  return least;
}

bool close(double measured, double wanted, double tolerance = 0.02) {
  const bool is = measured > wanted * (1 - tolerance) && measured < wanted * (1 + tolerance);
  std::printf("%.1f us, should be %.1f\n", measured, wanted);
  return is;
}

}  // namespace

TEST(ext_launch) {
  hipEvent_t begin = plain_event(), end = plain_event();
  double micros = 1000;
  void *arguments[] = {&micros};
  HIP(hipExtLaunchKernel(reinterpret_cast<const void *>(test_spin), dim3(whole_gpu), dim3(64), arguments, 0, nullptr,
                         begin, end, 0));
  HIP(hipDeviceSynchronize());
  EXPECT(elapsed_micros(begin, end) > 999 && elapsed_micros(begin, end) < 100'000); /* the begin is a packet before */
}

/* One wave on the whole chip; two on two engines; four on one. The 30 lowest CUs lie 8, 8, 7, 7 on the engines, so that
 * the 15 workgroups that each engine gets need three waves. */
TEST(masks) {
  EXPECT(close(together({plain_stream()}, 1, 100), 100));
  EXPECT(close(together({engines_stream(engines_01)}, 1, 100), 200));
  EXPECT(close(together({engines_stream(engine_0)}, 1, 100), 400));
  EXPECT(close(together({masked_stream(0x3fffffff, 0)}, 1, 100), 300));
  EXPECT(close(together({masked_stream(1, 0)}, 1, 100), 6000));
}

TEST(sharing) {
  hipStream_t left = engines_stream(engines_01), right = engines_stream(engines_23);
  EXPECT(close(together({plain_stream()}, 20, 500), 10'000));
  EXPECT(close(together({plain_stream(), plain_stream()}, 20, 500), 20'000));
  EXPECT(close(together({left, right}, 20, 500), 20'000));
  EXPECT(close(together({left, engines_stream(engines_01)}, 20, 500), 40'000));
  EXPECT(close(together({engines_stream(engine_0), engines_stream(engine_3)}, 5, 500), 10'000));
}

/* Memory is one for all CUs: two kernels that each need all of it take twice as long, on masks that share no CU. */
TEST(bandwidth) {
  hipStream_t left = engines_stream(engines_01), right = engines_stream(engines_23);
  const double bytes = 1.024e9; /* a millisecond of an MI50's bandwidth */
  for (const auto &streams : {std::vector{left}, std::vector{left, right}}) {
    const double micros = gated(streams, [&](hipStream_t stream) {
      for (int i = 0; i < 20; i++) test_traffic<<<6000, 64, 0, stream>>>(bytes);
    });
    EXPECT(close(micros, 20'000.0 * static_cast<double>(streams.size())));
  }
}

/* What programs see of an empty mask: HIP takes it, the chip runs it on all CUs, the read-back says so. */
TEST(empty_mask_fails_open) {
  hipStream_t stream = masked_stream(0, 0);
  uint32_t back[2] = {};
  HIP(hipExtStreamGetCUMask(stream, 2, back));
  EXPECT(back[0] == all_low && back[1] == all_high);
  EXPECT(close(together({stream}, 1, 100), 100));
}

/* Chains of kernels of many lengths on four streams, for the comparison of profiles at several time scales. */
TEST(profile) {
  for (double micros : {20.0, 100.0, 500.0})
    for (uint32_t pattern : {engine_0, engines_01, 0x77777777U, 0xffffffffU}) {
      hipStream_t stream = engines_stream(pattern);
      std::printf("%g %08x %.3f\n", micros, pattern, together({stream}, 10, micros) / 10);
      HIP(hipStreamDestroy(stream));
    }
}

/* Four chains on four engines: side by side if each has a slot of the hardware, else by turns. */
TEST(four_queues) {
  const std::vector<hipStream_t> streams = {engines_stream(engine_0), engines_stream(engine_0 << 1),
                                            engines_stream(engine_0 << 2), engines_stream(engine_3)};
  std::printf("%.3f\n", together(streams, 10, 1000));
}

/* The paper's second observation: ten masked streams of three CUs each. */
TEST(ten_queues) {
  std::vector<hipStream_t> streams;
  for (int i = 0; i < 10; i++) streams.push_back(masked_stream(7U << (3 * i), 0));
  std::printf("%.3f\n", together(streams, 10, 100));
}

/* Setting a mask stands in the way of what runs already. */
TEST(mask_call_beside_a_kernel) {
  hipStream_t stream = plain_stream();
  HIP(hipDeviceSynchronize());
  test_spin<<<whole_gpu, 64, 0, stream>>>(400'000.0);
  engines_stream(engine_0);
  HIP(hipDeviceSynchronize());
}

/* A kernel that is as good as endless, for those who end the process. */
TEST(endless) {
  void *large; /* never touched, so that the kernel needs no time to free it */
  HIP(hipMalloc(&large, 1 << 30));
  test_spin<<<whole_gpu, 64>>>(1e9);
  HIP(hipDeviceSynchronize());
}
