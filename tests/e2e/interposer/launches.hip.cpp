// How fast a program launches: batches of empty kernels on the null stream, each batch waited for. Prints launches per
// second of every batch, one a line. It knows nothing of us.
#include <hip/hip_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

extern "C" __global__ void nothing(int *) {}

int main(int count, char **arguments) {
  const int batches = count > 1 ? atoi(arguments[1]) : 50;
  const int launches = 1000;
  for (int batch = 0; batch < batches; ++batch) {
    const auto begin = std::chrono::steady_clock::now();
    for (int launch = 0; launch < launches; ++launch) {
      nothing<<<60, 64>>>(nullptr);
    }
    const auto end = std::chrono::steady_clock::now();
    if (hipDeviceSynchronize() != hipSuccess) {
      return 1;
    }
    printf("%.0f\n", launches / std::chrono::duration<double>(end - begin).count());
    fflush(stdout);
  }
  return 0;
}
