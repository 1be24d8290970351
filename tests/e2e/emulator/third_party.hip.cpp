/* Two libraries as a distribution ships them: random numbers and a sparse vector operation. */
#include <hip/hip_runtime.h>
#include <rocrand/rocrand.h>
#include <rocsparse/rocsparse.h>

#include <cstdio>
#include <cstdlib>

#define MUST(call)                                                             \
  do {                                                                         \
    if (const int result = static_cast<int>(call)) {                           \
      std::fprintf(stderr, "line %d: %s gives %d\n", __LINE__, #call, result); \
      std::exit(1);                                                            \
    }                                                                          \
  } while (0)

namespace {

void draw_numbers(hipStream_t stream) {
  constexpr size_t count = 1 << 18;
  float *numbers;
  rocrand_generator generator;
  MUST(hipMalloc(reinterpret_cast<void **>(&numbers), count * sizeof(float)));
  MUST(rocrand_create_generator(&generator, ROCRAND_RNG_PSEUDO_PHILOX4_32_10));
  MUST(rocrand_set_stream(generator, stream));
  for (int i = 0; i < 3; i++) MUST(rocrand_generate_uniform(generator, numbers, count));
  MUST(hipStreamSynchronize(stream));
  MUST(rocrand_destroy_generator(generator));
}

void add_sparse(hipStream_t stream) {
  constexpr int entries = 4096;
  float *values, *dense;
  int *indices;
  const float factor = 2;
  rocsparse_handle handle;
  MUST(hipMalloc(reinterpret_cast<void **>(&values), entries * sizeof(float)));
  MUST(hipMalloc(reinterpret_cast<void **>(&dense), 2 * entries * sizeof(float)));
  MUST(hipMalloc(reinterpret_cast<void **>(&indices), entries * sizeof(int)));
  MUST(rocsparse_create_handle(&handle));
  MUST(rocsparse_set_stream(handle, stream));
  for (int i = 0; i < 5; i++)
    MUST(rocsparse_saxpyi(handle, entries, &factor, values, indices, dense, rocsparse_index_base_zero));
  MUST(hipStreamSynchronize(stream));
  MUST(rocsparse_destroy_handle(handle));
}

}  // namespace

int main() {
  hipStream_t stream;
  MUST(hipStreamCreate(&stream));
  draw_numbers(stream);
  add_sparse(stream);
  add_sparse(nullptr);
  MUST(hipDeviceSynchronize());
  std::puts("passed");
}
