#include "ownership.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

using namespace eclip;

namespace {

// A stream whose use by two threads at once would be seen.
struct Stream {
  std::mutex mutex;
  Ownership ownership;
  std::atomic<int> users{0};
  std::atomic<bool> collided{false};
  long uses = 0;  // plain on purpose: lost counts are collisions, too

  void use() {
    if (users.fetch_add(1, std::memory_order_relaxed) != 0) {
      collided = true;
    }
    ++uses;
    users.fetch_sub(1, std::memory_order_relaxed);
  }

  // As a launch does it. Whether the lock was needed.
  bool launch(Seat &thread) {
    if (ownership.enter(thread)) {
      use();
      Ownership::leave(thread);
      return false;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    ownership.take(thread);
    use();
    return true;
  }
};

TEST(Ownership, OneThreadNeedsTheLockOnlyOnce) {
  Stream stream;
  Seat self;
  EXPECT_TRUE(stream.launch(self));
  if (!stream.ownership.owned_by(self)) {
    GTEST_SKIP() << "this kernel has no membarrier";
  }
  EXPECT_FALSE(stream.launch(self));
  EXPECT_FALSE(stream.launch(self));
}

TEST(Ownership, WhoLosesTheStreamNeedsTheLockAgain) {
  Stream stream;
  Seat self;
  stream.launch(self);
  {
    const std::lock_guard<std::mutex> lock(stream.mutex);
    stream.ownership.revoke();
  }
  EXPECT_TRUE(stream.launch(self));
}

TEST(Ownership, AStreamThatChangesHandsAgainAndAgainBelongsToNobody) {
  Stream stream;
  Seat one;
  Seat other;
  for (int turn = 0; turn < 20; ++turn) {
    stream.launch(turn % 2 ? one : other);
  }
  EXPECT_TRUE(stream.launch(one));
  EXPECT_TRUE(stream.launch(one));
}

TEST(Ownership, TwoThreadsAreNeverInsideAtOnce) {
  for (int round = 0; round < 200; ++round) {
    Stream stream;
    Seat seats[3];
    constexpr int launches = 500;
    std::vector<std::thread> threads;
    for (int index = 0; index < 3; ++index) {
      threads.emplace_back([&stream, &self = seats[index]] {
        for (int launch = 0; launch < launches; ++launch) {
          stream.launch(self);
        }
      });
    }
    for (std::thread &thread : threads) {
      thread.join();
    }
    ASSERT_FALSE(stream.collided);
    ASSERT_EQ(stream.uses, 3 * launches);
  }
}

}  // namespace
