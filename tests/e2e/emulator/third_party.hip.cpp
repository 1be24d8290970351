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

// As a server does it: the same calls of both libraries, request after request.
void serve(hipStream_t stream, int requests) {
  constexpr size_t count = 1 << 12;
  float *numbers, *dense;
  int *indices;
  const float factor = 2;
  rocrand_generator generator;
  rocsparse_handle handle;
  MUST(hipMalloc(reinterpret_cast<void **>(&numbers), count * sizeof(float)));
  MUST(hipMalloc(reinterpret_cast<void **>(&dense), count * sizeof(float)));
  MUST(hipMalloc(reinterpret_cast<void **>(&indices), count * sizeof(int)));
  MUST(rocrand_create_generator(&generator, ROCRAND_RNG_PSEUDO_PHILOX4_32_10));
  MUST(rocrand_set_stream(generator, stream));
  MUST(rocsparse_create_handle(&handle));
  MUST(rocsparse_set_stream(handle, stream));
  for (int request = 0; request < requests; request++) {
    MUST(rocrand_generate_uniform(generator, numbers, count));
    for (int i = 0; i < 3; i++)
      MUST(rocsparse_saxpyi(handle, 512, &factor, numbers, indices, dense, rocsparse_index_base_zero));
    MUST(rocrand_generate_uniform(generator, numbers, count));
    MUST(hipStreamSynchronize(stream));
  }
  MUST(rocsparse_destroy_handle(handle));
  MUST(rocrand_destroy_generator(generator));
}

}  // namespace

// With a number: so many requests. Without: each library once, on two streams.
int main(int argument_count, char **arguments) {
  hipStream_t stream;
  MUST(hipStreamCreate(&stream));
  if (argument_count > 1) {
    serve(stream, std::atoi(arguments[1]));
    std::puts("passed");
    return 0;
  }
  draw_numbers(stream);
  add_sparse(stream);
  add_sparse(nullptr);
  MUST(hipDeviceSynchronize());
  std::puts("passed");
}
