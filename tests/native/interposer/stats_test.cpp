#include "stats.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <thread>
#include <vector>

using namespace eclip;

namespace {

class StatsFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/eclip_stats_XXXXXX";
    close(mkstemp(name));
    path_ = name;
    const eclip_stats_header header{ECLIP_STATS_MAGIC, ECLIP_SLOT_VERSION, ECLIP_CLIENTS, ECLIP_CLIENT_BYTES};
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char *>(&header), sizeof header);
    file.close();
    ASSERT_EQ(truncate(path_.c_str(), ECLIP_STATS_HEADER_BYTES + off_t{ECLIP_CLIENTS} * ECLIP_CLIENT_BYTES), 0);
  }
  void TearDown() override { unlink(path_.c_str()); }

  // Claims a record in a process of its own and tells its number of launches to find it by.
  pid_t client(int hold, uint64_t launches) {
    const pid_t child = fork();
    if (child == 0) {
      Stats stats;
      std::string why;
      stats.open(path_, why);
      bump(stats.client().counters[0].launches, launches);
      char byte;
      const bool held = read(hold, &byte, 1) >= 0;
      _exit(stats.shared() && held ? 0 : 3);
    }
    return child;
  }

  eclip_client record(uint32_t index) const {
    eclip_client result{};
    std::ifstream file(path_, std::ios::binary);
    file.seekg(ECLIP_STATS_HEADER_BYTES + std::streamoff{index} * ECLIP_CLIENT_BYTES);
    file.read(reinterpret_cast<char *>(&result), sizeof result);
    return result;
  }

  std::string path_;
};

TEST_F(StatsFile, EveryProcessHasARecordOfItsOwnAndADeadOnesIsFreeAgain) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t first = client(pipe_ends[0], 11);
  while (record(0).counters[0].launches != 11) {
    std::this_thread::yield();
  }
  const pid_t second = client(pipe_ends[0], 22);
  while (record(1).counters[0].launches != 22) {
    std::this_thread::yield();
  }
  kill(first, SIGKILL);
  waitpid(first, nullptr, 0);
  const pid_t third = client(pipe_ends[0], 33);
  while (record(0).counters[0].launches != 33) {
    std::this_thread::yield();
  }
  close(pipe_ends[1]);
  close(pipe_ends[0]);
  for (pid_t child : {second, third}) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

TEST_F(StatsFile, AFileOfAnotherVersionIsLeftAloneAndCountersGoNowhere) {
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(4);
  file.put(99);
  file.close();
  Stats stats;
  std::string why;
  stats.open(path_, why);
  EXPECT_FALSE(stats.shared());
  EXPECT_NE(why.find("version"), std::string::npos);
  bump(stats.client().counters[0].launches);
}

TEST(Stats, ANewGenerationTakesTheBlockOfTheOneBeforeTheLast) {
  Stats stats;
  std::string why;
  stats.open("", why);
  bump(stats.counters_of(0).launches, 5);
  bump(stats.begin_generation(3).launches, 7);
  EXPECT_EQ(stats.counters_of(0).launches, 5u);
  EXPECT_EQ(stats.counters_of(3).launches, 7u);
  stats.begin_generation(4);
  EXPECT_EQ(stats.counters_of(3).launches, 7u);
  EXPECT_EQ(stats.counters_of(4).launches, 0u);
  EXPECT_EQ(stats.client().sequence % 2, 0u);
}

TEST(Stats, NoLaunchIsLostWhenManyThreadsCount) {
  Stats stats;
  std::string why;
  stats.open("", why);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&stats] {
      for (int count = 0; count < 10000; ++count) {
        bump(stats.counters_of(0).launches);
      }
    });
  }
  for (auto &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(stats.counters_of(0).launches, 40000u);
}

TEST(Stats, BucketsAreEighthsOfAnOctave) {
  EXPECT_EQ(bucket_of(0), 0u);
  EXPECT_EQ(bucket_of(999), 0u);
  for (uint32_t bucket = 1; bucket < ECLIP_BUCKETS; ++bucket) {
    const double bound = 1000.0 * std::exp2(bucket / 8.0);
    EXPECT_EQ(bucket_of(static_cast<uint64_t>(bound * 1.0001) + 1), bucket);
    EXPECT_EQ(bucket_of(static_cast<uint64_t>(bound * 0.999)), bucket - 1);
  }
  EXPECT_EQ(bucket_of(~0ull), ECLIP_BUCKETS - 1);
}

}  // namespace
