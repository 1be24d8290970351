#include <hip/hip_ext.h>

#include <atomic>
#include <thread>
#include <vector>

#include "acceptance.h"

namespace {

std::atomic<int> called{0};

void call_back(hipStream_t, hipError_t, void *) { called++; }

hipStream_t prioritised(int priority) {
  hipStream_t stream;
  HIP(hipStreamCreateWithPriority(&stream, hipStreamNonBlocking, priority));
  return stream;
}

/* Work on each stream of its own memory, all at one time. */
void use_all(const std::vector<hipStream_t> &streams) {
  std::vector<float *> sums;
  for (hipStream_t stream : streams) {
    sums.push_back(device_array<float>(1));
    HIP(hipDeviceSynchronize());
    for (int i = 1; i <= 5; i++) test_mix<<<1, 64, 0, stream>>>(20.0, sums.back(), 2.0f, static_cast<float>(i), 1);
  }
  HIP(hipDeviceSynchronize());
  for (float *sum : sums) EXPECT(device_value(sum) == 57);
}

}  // namespace

TEST(names) {
  auto *y = device_array<float>(1);
  test_add<<<1, 64>>>(1.0, y, 3.0f, 1);
  test_scale<float><<<1, 64>>>(1.0, y, 4.0f, 1);
  EXPECT(device_value(y) == 12);
}

TEST(module_launch) {
  hipModule_t module;
  hipFunction_t function;
  HIP(hipModuleLoad(&module, std::getenv("ACCEPTANCE_MODULE")));
  HIP(hipModuleGetFunction(&function, module, "test_add"));
  auto *y = device_array<float>(1);
  double micros = 10;
  float a = 7;
  int n = 1;
  void *arguments[] = {&micros, &y, &a, &n};
  HIP(hipModuleLaunchKernel(function, 1, 1, 1, 64, 1, 1, 0, nullptr, arguments, nullptr));
  EXPECT(device_value(y) == 7);
  HIP(hipModuleUnload(module));
  HIP(hipModuleLoad(&module, std::getenv("ACCEPTANCE_MODULE")));
  HIP(hipModuleGetFunction(&function, module, "test_mix"));
  float b = 1;
  void *others[] = {&micros, &y, &a, &b, &n};
  HIP(hipModuleLaunchKernel(function, 1, 1, 1, 64, 1, 1, 0, nullptr, others, nullptr));
  EXPECT(device_value(y) == 50);
}

TEST(callbacks) {
  hipStream_t stream = plain_stream();
  auto *y = device_array<float>(1);
  test_add<<<1, 64, 0, stream>>>(500.0, y, 1.0f, 1);
  HIP(hipStreamAddCallback(stream, call_back, nullptr, 0));
  test_add<<<1, 64, 0, stream>>>(500.0, y, 1.0f, 1);
  HIP(hipStreamSynchronize(stream));
  EXPECT(called == 1 && device_value(y) == 2);
}

TEST(queries) {
  hipStream_t stream = plain_stream();
  hipEvent_t event = plain_event();
  test_spin<<<whole_gpu, 64, 0, stream>>>(500'000.0);
  HIP(hipEventRecord(event, stream));
  EXPECT(hipStreamQuery(stream) == hipErrorNotReady);
  EXPECT(hipEventQuery(event) == hipErrorNotReady);
  HIP(hipStreamSynchronize(stream));
  EXPECT(hipStreamQuery(stream) == hipSuccess);
  EXPECT(hipEventQuery(event) == hipSuccess);
}

TEST(cross_stream_wait) {
  hipStream_t first = plain_stream(), second = plain_stream();
  hipEvent_t event = plain_event(hipEventDisableTiming);
  auto *y = device_array<float>(1);
  HIP(hipDeviceSynchronize());
  for (int i = 1; i <= 20; i++) {
    test_mix<<<1, 64, 0, i % 2 ? first : second>>>(30.0, y, 0.5f, static_cast<float>(i), 1);
    HIP(hipEventRecord(event, i % 2 ? first : second));
    HIP(hipStreamWaitEvent(i % 2 ? second : first, event, 0));
  }
  HIP(hipDeviceSynchronize());
  float wanted = 0;
  for (int i = 1; i <= 20; i++) wanted = wanted * 0.5f + static_cast<float>(i);
  EXPECT(device_value(y) == wanted);
}

/* The wait between the two streams is left out on purpose. The second kernel, being shorter, is done first, and the
 * result shows it: the emulated GPU is a judge of order. Succeeds if the data is wrong. */
TEST(left_out_wait_shows_wrong_data) {
  hipStream_t first = plain_stream(), second = plain_stream();
  auto *y = device_array<float>(1);
  HIP(hipDeviceSynchronize());
  test_mix<<<1, 64, 0, first>>>(200'000.0, y, 2.0f, 1.0f, 1);
  test_mix<<<1, 64, 0, second>>>(10.0, y, 10.0f, 5.0f, 1);
  HIP(hipDeviceSynchronize());
  const float in_order = (0 * 2.0f + 1) * 10 + 5;
  EXPECT(device_value(y) != in_order);
}

/* A copy that is not ordered behind a kernel sees what was there before it. */
TEST(early_reader_sees_old_data) {
  hipStream_t stream = plain_stream(), reader = plain_stream();
  auto *y = device_array<float>(1);
  float *seen;
  HIP(hipHostMalloc(reinterpret_cast<void **>(&seen), sizeof *seen, hipHostMallocDefault));
  HIP(hipDeviceSynchronize());
  test_add<<<1, 64, 0, stream>>>(300'000.0, y, 9.0f, 1);
  HIP(hipMemcpyAsync(seen, y, sizeof *seen, hipMemcpyDeviceToHost, reader));
  HIP(hipStreamSynchronize(reader));
  EXPECT(*seen == 0);
  HIP(hipStreamSynchronize(stream));
  EXPECT(device_value(y) == 9);
}

TEST(event_ordered_log) {
  hipStream_t first = plain_stream(), second = plain_stream();
  hipEvent_t event = plain_event(hipEventDisableTiming);
  auto *log = device_array<int>(8);
  HIP(hipDeviceSynchronize());
  test_append<<<1, 64, 0, first>>>(400.0, log, 1);
  HIP(hipEventRecord(event, first));
  HIP(hipStreamWaitEvent(second, event, 0));
  test_append<<<1, 64, 0, second>>>(10.0, log, 2);
  HIP(hipEventRecord(event, second));
  HIP(hipStreamWaitEvent(first, event, 0));
  test_append<<<1, 64, 0, first>>>(10.0, log, 3);
  HIP(hipDeviceSynchronize());
  int back[4];
  HIP(hipMemcpy(back, log, sizeof back, hipMemcpyDeviceToHost));
  EXPECT(back[0] == 3 && back[1] == 1 && back[2] == 2 && back[3] == 3);
}

TEST(legacy_order) {
  hipStream_t first = plain_stream(hipStreamDefault), second = plain_stream(hipStreamDefault);
  auto *y = device_array<float>(1);
  for (int round = 0; round < 5; round++) {
    test_mix<<<1, 64, 0, first>>>(200.0, y, 2.0f, 1.0f, 1);
    test_mix<<<1, 64>>>(50.0, y, 3.0f, 2.0f, 1);
    test_mix<<<1, 64, 0, second>>>(10.0, y, 5.0f, 3.0f, 1);
    HIP(hipStreamSynchronize(second));
  }
  float wanted = 0;
  for (int round = 0; round < 5; round++) wanted = ((wanted * 2 + 1) * 3 + 2) * 5 + 3;
  EXPECT(device_value(y) == wanted);
}

TEST(write_value) {
  hipStream_t waiter = plain_stream(), writer = plain_stream();
  auto *log = device_array<int>(4);
  uint32_t *word;
  HIP(hipExtMallocWithFlags(reinterpret_cast<void **>(&word), 8, hipMallocSignalMemory));
  HIP(hipStreamWriteValue32(writer, word, 0, 0));
  HIP(hipStreamSynchronize(writer));
  HIP(hipStreamWaitValue32(waiter, word, 7, hipStreamWaitValueEq, 0xffffffff));
  test_append<<<1, 64, 0, waiter>>>(10.0, log, 2);
  test_append<<<1, 64, 0, writer>>>(2000.0, log, 1);
  HIP(hipStreamWriteValue32(writer, word, 7, 0));
  HIP(hipStreamSynchronize(waiter));
  int back[3];
  HIP(hipMemcpy(back, log, sizeof back, hipMemcpyDeviceToHost));
  EXPECT(back[0] == 2 && back[1] == 1 && back[2] == 2);
}

TEST(graph) {
  hipStream_t stream = plain_stream();
  auto *y = device_array<float>(1);
  HIP(hipDeviceSynchronize());
  HIP(hipStreamBeginCapture(stream, hipStreamCaptureModeGlobal));
  test_mix<<<1, 64, 0, stream>>>(20.0, y, 2.0f, 1.0f, 1);
  test_mix<<<1, 64, 0, stream>>>(20.0, y, 3.0f, 1.0f, 1);
  hipGraph_t graph;
  HIP(hipStreamEndCapture(stream, &graph));
  hipGraphExec_t executable;
  HIP(hipGraphInstantiate(&executable, graph, nullptr, nullptr, 0));
  for (int i = 0; i < 3; i++) HIP(hipGraphLaunch(executable, stream));
  HIP(hipStreamSynchronize(stream));
  EXPECT(device_value(y) == 172);
}

TEST(threads) {
  std::vector<std::thread> threads;
  for (int number = 0; number < 6; number++)
    threads.emplace_back([] {
      hipStream_t stream = plain_stream();
      hipEvent_t event = plain_event(hipEventDisableTiming);
      auto *y = device_array<float>(1);
      HIP(hipStreamSynchronize(nullptr));
      for (int i = 1; i <= 300; i++) {
        test_add<<<1, 64, 0, stream>>>(1.0, y, 1.0f, 1);
        if (i % 7 == 0) HIP(hipEventRecord(event, stream));
        if (i % 50 == 0) HIP(hipStreamSynchronize(stream));
      }
      HIP(hipStreamSynchronize(stream));
      EXPECT(device_value(y) == 300);
    });
  for (auto &thread : threads) thread.join();
}

TEST(many_streams) {
  std::vector<hipStream_t> streams;
  for (int i = 0; i < 24; i++) streams.push_back(plain_stream());
  use_all(streams);
}

TEST(many_masked_streams) {
  std::vector<hipStream_t> streams;
  for (int i = 0; i < 24; i++) streams.push_back(masked_stream(7U << i, 0));
  use_all(streams);
  for (hipStream_t stream : streams) HIP(hipStreamDestroy(stream));
  use_all({masked_stream(0xff, 0)});
}

TEST(priorities) {
  int least, greatest;
  HIP(hipDeviceGetStreamPriorityRange(&least, &greatest));
  use_all({prioritised(least), prioritised(greatest)});
}

TEST(per_thread) {
  auto *y = device_array<float>(1);
  HIP(hipDeviceSynchronize());
  test_add<<<1, 64, 0, hipStreamPerThread>>>(100.0, y, 1.0f, 1);
  HIP(hipStreamSynchronize(hipStreamPerThread));
  EXPECT(device_value(y) == 1);
}

TEST(cooperative) {
  auto *y = device_array<float>(1);
  double micros = 10;
  float a = 1;
  int n = 1, offered = 0;
  HIP(hipDeviceGetAttribute(&offered, hipDeviceAttributeCooperativeLaunch, 0));
  void *arguments[] = {&micros, &y, &a, &n};
  const hipError_t result =
      hipLaunchCooperativeKernel(reinterpret_cast<const void *>(test_add), dim3(1), dim3(64), arguments, 0, nullptr);
  EXPECT((result == hipSuccess) == (offered != 0));
  if (offered) EXPECT(device_value(y) == 1);
}

TEST(attributes) {
  hipDeviceProp_t properties;
  HIP(hipGetDeviceProperties(&properties, 0));
  EXPECT(properties.multiProcessorCount == 60 && properties.warpSize == 64);
  EXPECT(std::string(properties.gcnArchName).rfind("gfx906", 0) == 0);
  size_t unused, total;
  HIP(hipMemGetInfo(&unused, &total));
  EXPECT(total > (15ULL << 30) && unused <= total);
  int blocks = 0;
  HIP(hipOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, test_spin, 256, 0));
  EXPECT(blocks > 0);
}
