// Events of timed kernels: kept until the kernel has ended, then used again.
#include "timings.h"

#include <gtest/gtest.h>

#include <vector>

namespace eclip {
namespace {

// A runtime whose kernels end when the test says so. The n-th event is n, from 1 on; kernel k took k milliseconds.
struct Device {
  uintptr_t events = 0;
  std::vector<hip::Event> stops;  // in launch order
  size_t ended = 0;
  hip::Error query = hip::success;  // of an event whose kernel has ended
} device;

size_t kernel_of(hip::Event stop) {
  size_t last = 0;
  for (size_t index = 0; index < device.stops.size(); ++index) {
    last = device.stops[index] == stop ? index + 1 : last;
  }
  return last;
}

hip::Error create(hip::Event *event, uint32_t) {
  *event = reinterpret_cast<hip::Event>(++device.events);
  return hip::success;
}
hip::Error query(hip::Event stop) { return kernel_of(stop) <= device.ended ? device.query : hip::error_not_ready; }
hip::Error elapsed(float *millis, hip::Event, hip::Event stop) {
  *millis = static_cast<float>(kernel_of(stop));
  return hip::success;
}

Runtime runtime() {
  device = Device();
  Runtime fake;
  fake.hipEventCreateWithFlags = create;
  fake.hipEventQuery = query;
  fake.hipEventElapsedTime = elapsed;
  return fake;
}

void launch(Timings &timings, const Runtime &fake, uint32_t position) {
  const std::optional<EventPair> events = timings.events(fake);
  ASSERT_TRUE(events);
  device.stops.push_back(events->stop);
  timings.launched({*events, position, 0, true});
}

TEST(Timings, NoKernelIsLostWhileTheHostRunsAhead) {
  const Runtime fake = runtime();
  Timings timings;
  double micros = 0;
  for (uint32_t position = 0; position < 1000; ++position) {
    launch(timings, fake, position);
    EXPECT_FALSE(timings.take(fake, micros));
  }
  device.ended = 1000;
  for (uint32_t position = 0; position < 1000; ++position) {
    const std::optional<Timing> timing = timings.take(fake, micros);
    ASSERT_TRUE(timing);
    EXPECT_EQ(timing->position, position);
    EXPECT_EQ(micros, 1000.0 * (position + 1));
  }
  EXPECT_FALSE(timings.take(fake, micros));
}

TEST(Timings, EventsAreUsedAgainOnceTheyHaveBeenRead) {
  const Runtime fake = runtime();
  Timings timings;
  double micros = 0;
  for (uint32_t position = 0; position < 100; ++position) {
    launch(timings, fake, position);
    device.ended = device.stops.size();
    ASSERT_TRUE(timings.take(fake, micros));
  }
  EXPECT_EQ(device.events, 2u);
}

TEST(Timings, OneThatCannotBeReadIsSaidToBeSo) {
  const Runtime fake = runtime();
  Timings timings;
  double micros = 0;
  launch(timings, fake, 7);
  device.ended = 1;
  device.query = hip::error_not_supported;
  const std::optional<Timing> timing = timings.take(fake, micros);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->position, 7u);
  EXPECT_LT(micros, 0);
}

TEST(Timings, WhatIsForgottenEndsWithoutBeingWanted) {
  const Runtime fake = runtime();
  Timings timings;
  double micros = 0;
  launch(timings, fake, 0);
  timings.forget();
  launch(timings, fake, 1);
  device.ended = 2;
  EXPECT_FALSE(timings.take(fake, micros)->wanted);
  EXPECT_TRUE(timings.take(fake, micros)->wanted);
}

}  // namespace
}  // namespace eclip
