// How fast a program launches: batches of empty kernels on the null stream, each batch waited for. Prints for every batch
// the wall and the processor nanoseconds of one launch, one batch a line. It knows nothing of us.
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
  for (int batch = 0; batch < batches; ++batch) {
    const double wall = nanoseconds(CLOCK_MONOTONIC);
    const double processor = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (int launch = 0; launch < launches; ++launch) {
      nothing<<<60, 64>>>(nullptr);
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
