// More busy queues than slots, in virtual time: who runs when is exact.
#include <gtest/gtest.h>

#include <limits>

#include "chip.h"
#include "dealing.h"

using namespace emulator;

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

class Slots : public testing::Test {
 protected:
  static GpuConfig one_slot() {
    GpuConfig gpu;
    gpu.costs.queue_slots = 1;
    gpu.costs.quantum_micros = 1000;
    return gpu;
  }

  uint32_t busy_queue(Chip::Turn &turn) {
    const uint32_t use = turn.open_queue(++number_);
    turn.set_busy(use, true);
    return use;
  }

  uint32_t launch(Chip::Turn &turn, uint32_t use, double micros) {
    const eclip_shape shape{60, 1, micros, 0};
    const eclip_cu_set mask = full_mask(chip_.compute_units());
    eclip_load load;
    eclip_load_of(&chip_.parameters(), &shape, &mask, &load);
    return turn.launch(use, load, 0);
  }

  // The one kernel that is over after the chip went on.
  Finished next(Chip::Turn &turn) {
    turn.hold(never);
    turn.advance();
    std::vector<Finished> finished;
    turn.take_finished(finished);
    EXPECT_EQ(finished.size(), 1u);
    return finished.empty() ? Finished{no_ticket, 0, 0} : finished.front();
  }

  Chip chip_{one_slot(), 1, true};
  uint32_t number_ = 0;
};

TEST_F(Slots, AQueueBeyondThemWaitsForItsTurnAndItsProcessKnowsWhen) {
  Chip::Turn turn(chip_);
  const uint32_t first = busy_queue(turn), second = busy_queue(turn);
  EXPECT_TRUE(turn.resident(first));
  EXPECT_FALSE(turn.resident(second));
  EXPECT_EQ(turn.due(), 1000);  // no kernel says so: the wait for the slot does
  EXPECT_EQ(turn.advance(), 1000);
  EXPECT_FALSE(turn.resident(first));
  EXPECT_TRUE(turn.resident(second));
}

TEST_F(Slots, NobodyWaitsWhereAllHaveOne) {
  Chip::Turn turn(chip_);
  const uint32_t only = busy_queue(turn);
  EXPECT_TRUE(turn.resident(only));
  EXPECT_EQ(turn.due(), never);
}

TEST_F(Slots, AQueueThatBecomesBusyWhileTheChipStandsHasItsTurnAfterwards) {
  Chip::Turn turn(chip_);
  turn.stall(30);
  const uint32_t use = busy_queue(turn);
  EXPECT_FALSE(turn.resident(use));
  EXPECT_EQ(turn.due(), 30);
  EXPECT_EQ(turn.advance(), 30);
  EXPECT_TRUE(turn.resident(use));
}

TEST_F(Slots, AKernelStandsStillWhileAnotherQueueHasItsSlot) {
  Chip::Turn turn(chip_);
  const uint32_t first = busy_queue(turn), second = busy_queue(turn);
  const uint32_t interrupted = launch(turn, first, 1500);
  turn.hold(never);
  ASSERT_EQ(turn.advance(), 1000);
  ASSERT_TRUE(turn.resident(second));
  const uint32_t between = launch(turn, second, 100);
  const Finished one = next(turn);
  EXPECT_EQ(one.ticket, between);
  EXPECT_DOUBLE_EQ(one.begin, 1000);
  EXPECT_DOUBLE_EQ(one.end, 1100);
  turn.set_busy(second, false);
  const Finished other = next(turn);
  EXPECT_EQ(other.ticket, interrupted);
  EXPECT_DOUBLE_EQ(other.end, 1600);
}

}  // namespace
