/* How many packets a second the emulated GPU takes, and what a launch costs the program: kernels that take no time
 * (unknownWaveMicros 0, no costs), in batches that lie in the queue before the first of them may start. Prints JSON. */
#include <hip/hip_ext.h>
#include <hip/hip_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

extern "C" __global__ void packet_rate_nothing() {}

namespace {

constexpr int batch = 3000; /* HIP's rings hold 4096 packets */
constexpr int batches = 15;

void must(hipError_t result) {
  if (result == hipSuccess) return;
  std::fprintf(stderr, "%s\n", hipGetErrorString(result));
  std::exit(1);
}

double seconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  hipStream_t stream;
  uint32_t *word;
  must(hipStreamCreateWithFlags(&stream, hipStreamNonBlocking));
  must(hipExtMallocWithFlags(reinterpret_cast<void **>(&word), 8, hipMallocSignalMemory));
  std::vector<double> submit, drain;
  for (int round = 0; round < batches; round++) {
    __atomic_store_n(word, 0U, __ATOMIC_RELEASE);
    must(hipStreamWaitValue32(stream, word, 1, hipStreamWaitValueEq, 0xffffffff));
    const double begin = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < batch; i++) packet_rate_nothing<<<1, 64, 0, stream>>>();
    submit.push_back((seconds(CLOCK_THREAD_CPUTIME_ID) - begin) / batch);
    const double released = seconds(CLOCK_MONOTONIC);
    __atomic_store_n(word, 1U, __ATOMIC_RELEASE);
    must(hipStreamSynchronize(stream));
    drain.push_back((seconds(CLOCK_MONOTONIC) - released) / batch);
  }
  std::printf("{\"packetsPerSecond\": %.0f, \"bestPacketsPerSecond\": %.0f, \"launchMicros\": %.3f}\n",
              1 / median(drain), 1 / *std::min_element(drain.begin(), drain.end()), median(submit) * 1e6);
}
