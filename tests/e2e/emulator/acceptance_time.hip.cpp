#include <hip/hip_ext.h>

#include <vector>

#include "acceptance.h"

namespace {

constexpr uint32_t all_low = 0xffffffff, all_high = 0x0fffffff;
/* Bit b of the mask is a CU of shader engine b mod 4. */
constexpr uint32_t engine_0 = 0x11111111, engine_3 = 0x88888888;
constexpr uint32_t engines_01 = 0x33333333, engines_23 = 0xcccccccc;

hipStream_t engines_stream(uint32_t pattern) { return masked_stream(pattern, pattern & all_high); }

/* GPU time of `count` kernels on every stream, from the first one's begin to the last one's end. */
double together(const std::vector<hipStream_t> &streams, int count, double micros) {
  hipStream_t gate = plain_stream();
  hipEvent_t open = plain_event();
  test_spin<<<1, 64, 0, gate>>>(50'000.0); /* all of it is in the queues before the first one starts */
  HIP(hipEventRecord(open, gate));
  std::vector<hipEvent_t> done;
  for (hipStream_t stream : streams) {
    HIP(hipStreamWaitEvent(stream, open, 0));
    for (int i = 0; i < count; i++) test_spin<<<whole_gpu, 64, 0, stream>>>(micros);
    done.push_back(plain_event());
    HIP(hipEventRecord(done.back(), stream));
  }
  HIP(hipDeviceSynchronize());
  double latest = 0;
  for (hipEvent_t event : done) latest = std::max(latest, elapsed_micros(open, event));
  return latest;
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
  EXPECT(elapsed_micros(begin, end) > 990 && elapsed_micros(begin, end) < 1010);
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
    std::vector<hipEvent_t> begins, ends;
    for (hipStream_t stream : streams) {
      begins.push_back(plain_event());
      ends.push_back(plain_event());
      HIP(hipEventRecord(begins.back(), stream));
      for (int i = 0; i < 50; i++) test_traffic<<<6000, 64, 0, stream>>>(bytes);
      HIP(hipEventRecord(ends.back(), stream));
    }
    HIP(hipDeviceSynchronize());
    EXPECT(close(elapsed_micros(begins[0], ends[0]), 50'000.0 * static_cast<double>(streams.size()), 0.05));
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
