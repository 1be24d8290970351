#include "run.h"

#include <gtest/gtest.h>
#include <x86intrin.h>

#include "plans.h"
#include "thread.h"

using namespace eclip;
using eclip::test::key_of;
using eclip::test::plan_of;

namespace {

constexpr hip::Dim3 one_group{1, 1, 1}, one_wave{64, 1, 1};

Foreseen launch_of(const char &letter) { return {&letter, one_group, one_wave}; }

// A thread that launches the letters of one request, over and over, without any runtime.
class RunTest : public testing::Test {
 protected:
  void start(const std::string &request, uint32_t launched) {
    request_ = request;
    track_ = Track();
    run_ = eclip::Run();
    counters_ = {};
    track_.plan = std::make_shared<Plan>(plan_of({{request, std::string(request.size(), '0')}}));
    track_.counters = &counters_;
    lane_.clear();
    for (const char &letter : request_) {
      lane_.push_back(launch_of(letter));
    }
    for (at_ = 0; at_ < launched; ++at_) {
      const Step step = track_.cursor.advance(*track_.plan, 0, key_of(request_[at_ % request.size()]));
      track_.pending.add(counters_, &counters_.models[0], true, ECLIP_PASS_WHOLE_GPU);
      if (step.request_start) track_.clock.begin(counters_.models[0]);
      if (step.request_end) ++counters_.models[0].requests;
    }
    open();
  }

  void open() {
    run_.first = lane_.data();
    run_.limit = run_.first + lane_.size();
    run_.turns = true;
    run_.table_now = run_.active_now = &active_;
    run_.changes_now = &changes_;
    run_.track = &track_;
    run_.open(track_.cursor.position() == 0 ? run_.limit : run_.first + track_.cursor.position());
  }

  // True if the run took it.
  bool launch() {
    const bool taken = run_.expects(lane_[at_ % lane_.size()], nullptr) && run_.holds();
    if (taken) {
      ++run_.next;
      ++at_;
    }
    return taken;
  }

  void leave() {
    run_.leave();
    track_.pending.flush(counters_);
  }

  std::string request_;
  std::vector<Foreseen> lane_;
  Track track_;
  eclip::Run run_;
  eclip_counters counters_{};
  uint64_t active_ = 0;
  std::atomic<uint64_t> changes_{0};
  uint32_t at_ = 0;
};

TEST_F(RunTest, CountsWhatItTookWhereverItBeganAndEnded) {
  for (const std::string request : {"a", "ab", "abcde"}) {
    for (uint32_t before = 1; before <= 2 * request.size(); ++before) {
      for (uint32_t taken = 0; taken <= 3 * request.size(); ++taken) {
        start(request, before);
        for (uint32_t count = 0; count < taken; ++count) {
          // A machine that stops us for a millisecond ends the run.
          while (!launch()) {
            run_.leave();
            open();
          }
        }
        leave();
        EXPECT_EQ(counters_.models[0].launches, before + taken);
        EXPECT_EQ(counters_.models[0].requests, (before + taken) / request.size()) << request << before << taken;
        EXPECT_EQ(track_.cursor.position(), (before + taken) % request.size());
      }
    }
  }
}

TEST_F(RunTest, EveryRequestButTheFirstHasATime) {
  start("abc", 1);
  for (uint32_t count = 0; count < 10; ++count) {
    while (!launch()) {
      run_.leave();
      open();
    }
  }
  leave();
  uint64_t times = 0;
  for (uint32_t bucket : counters_.models[0].request_micros) times += bucket;
  EXPECT_EQ(times, 3u);  // 11 launches: four starts
}

TEST_F(RunTest, ARequestThatDidNotBeginIsNoRequest) {
  start("ab", 3);
  ASSERT_TRUE(launch());
  EXPECT_FALSE(run_.expects(lane_[1], nullptr));  // "a" was due
  leave();
  EXPECT_EQ(counters_.models[0].requests, 2u);
  uint64_t times = 0;
  for (uint32_t bucket : counters_.models[0].request_micros) times += bucket;
  EXPECT_EQ(times, 1u);
  EXPECT_EQ(track_.cursor.position(), 0u);
}

TEST_F(RunTest, EndsAtTheRequestInWhichAnotherVariantHolds) {
  start("abc", 2);
  active_ = 1;
  run_.table = 1;  // the same word here
  EXPECT_TRUE(launch());
  EXPECT_FALSE(launch());
}

TEST_F(RunTest, GoesOnForAMillisecondAtMost) {
  start("a", 1);
  const uint64_t begin = __rdtsc();
  while (__rdtsc() - begin <= eclip::Run::most_ticks) continue;
  EXPECT_FALSE(launch());
}

TEST_F(RunTest, KnowsOfRequestsThatItOwes) {
  start("ab", 1);
  EXPECT_EQ(run_.ended(), 0u);
  while (!launch()) open();
  EXPECT_EQ(run_.ended(), 1u);
  leave();
  EXPECT_EQ(run_.ended(), 0u);
}

TEST(RequestClock, SpreadsASeriesOfStartsOverTheTimeThatItTook) {
  eclip_model_counters model{};
  RequestClock clock;
  const uint64_t begin = now_ns();
  clock.begin(model);
  uint64_t starts[20];
  for (uint64_t &start : starts) {
    for (const uint64_t from = now_ns(); now_ns() - from < 200'000;) continue;
    start = __rdtsc();
  }
  clock.began(model, starts, 20);
  const uint64_t most = (now_ns() - begin) / 1000;
  uint64_t times = 0;
  for (uint32_t bucket : model.request_micros) times += bucket;
  EXPECT_EQ(times, 20u);
  EXPECT_LE(model.request_micros_sum, most);
  EXPECT_GE(model.request_micros_sum, most / 4);
}

TEST(RequestClock, AJumpOfTheCountersMakesNoTimeThatNeverWas) {
  eclip_model_counters model{};
  RequestClock clock;
  const uint64_t begin = now_ns();
  clock.begin(model);
  const uint64_t now = __rdtsc();
  const uint64_t starts[] = {now + (1ull << 50), now - (1ull << 40), now};
  clock.began(model, starts, 3);
  EXPECT_LE(model.request_micros_sum, (now_ns() - begin) / 1000);
}

}  // namespace
