// How fast a program launches: batches of empty kernels, each batch waited for, on the null stream or, as `launches BATCHES
// masked`, on a masked stream of its own. Prints for every batch the wall and the processor nanoseconds of one launch, one
// batch a line. It knows nothing of us.
#include <hip/hip_runtime.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>

extern "C" __global__ void nothing(int *) {}

namespace {

double nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

int main(int count, char **arguments) {
  const int batches = count > 1 ? atoi(arguments[1]) : 50;
  const int launches = 200;
  hipStream_t stream = nullptr;
  const uint32_t mask[] = {0x55555555, 0x05555555};
  if (count > 2 && hipExtStreamCreateWithCUMask(&stream, 2, mask) != hipSuccess) {
    return 1;
  }
  for (int batch = 0; batch < batches; ++batch) {
    const double wall = nanoseconds(CLOCK_MONOTONIC);
    const double processor = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (int launch = 0; launch < launches; ++launch) {
      nothing<<<60, 64, 0, stream>>>(nullptr);
    }
    const double processor_end = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    const double wall_end = nanoseconds(CLOCK_MONOTONIC);
    if (hipDeviceSynchronize() != hipSuccess) {
      return 1;
    }
    printf("%.1f %.1f\n", (wall_end - wall) / launches, (processor_end - processor) / launches);
    fflush(stdout);
  }
  return 0;
}
