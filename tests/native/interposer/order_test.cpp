// The order state machine against a model of the runtime: whatever the application does on one stream, every kernel must
// start after all that the stream has been given before, and what the stream is given later after the kernel.
#include "order.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

using namespace eclip;

namespace {

using Work = std::set<int>;  // numbers of everything that has happened by then

struct Queue {
  Work done;   // when its last packet is complete
  Work event;  // what the last event recorded on, or bound to, it stands for
};

// One application stream, three masked ones. Null, alone: the runtime joins masked and null by itself.
struct Model {
  bool runtime_joins;
  Queue own;
  Queue masked[3];
  Order<Queue> order;
  uint64_t touches = 0;
  int next = 0;
  Work given;  // to the stream so far

  static void add(Work &to, const Work &from) { to.insert(from.begin(), from.end()); }

  void implicit_null_order() {
    if (runtime_joins) {
      for (Queue &queue : masked) {
        add(own.done, queue.done);
      }
    }
  }

  void check(const Queue &queue) const {
    for (int earlier : given) {
      EXPECT_TRUE(queue.done.count(earlier)) << "work " << next << " may run before " << earlier;
    }
  }

  void put(Queue &queue) {
    check(queue);
    queue.done.insert(next);
    given.insert(next++);
  }

  void own_work(bool ours) {
    implicit_null_order();
    put(own);
    if (ours) {
      order.stayed();
    } else {
      ++touches;
    }
  }

  void redirected(Queue &target, bool hop_follows, bool event_of_the_application) {
    const Steps steps =
        order.before(&target, runtime_joins ? Joining::ByRuntime : Joining::Eager, hop_follows, touches);
    if (runtime_joins) {
      add(target.done, own.done);
    }
    if (steps.fork) {
      add(target.done, own.done);
    } else if (steps.hop) {
      Queue &last = *order.previous();
      if (steps.hop_needs_record) {
        last.event = last.done;
      }
      add(target.done, last.event);
    }
    put(target);
    Steps done = steps;
    done.bind_event = steps.bind_event && !event_of_the_application;
    if (done.bind_event) {
      target.event = target.done;
    }
    order.launched(&target, done, touches);
    if (steps.join) {
      add(own.done, target.done);
    }
  }
};

class RandomPrograms : public testing::TestWithParam<bool> {};

TEST_P(RandomPrograms, KeepTheStreamsOrder) {
  std::mt19937 chance(11);
  for (int trial = 0; trial < 400; ++trial) {
    Model model{};
    model.runtime_joins = GetParam();
    for (int step = 0; step < 30 && !testing::Test::HasFailure(); ++step) {
      switch (chance() % 6) {
        case 0: model.own_work(false); break;
        case 1: model.own_work(true); break;
        default: model.redirected(model.masked[chance() % 3], chance() % 2 != 0, chance() % 4 == 0);
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "trial " << trial;
  }
}

INSTANTIATE_TEST_SUITE_P(BothWays, RandomPrograms, testing::Bool());

TEST(Order, NullStreamKernelsThatStayOnOneMaskedStreamNeedNothing) {
  Queue masked;
  Order<Queue> order;
  for (int launch = 0; launch < 3; ++launch) {
    const Steps steps = order.before(&masked, Joining::ByRuntime, false, 0);
    EXPECT_FALSE(steps.fork || steps.hop || steps.bind_event || steps.join);
    order.launched(&masked, steps, 0);
  }
}

TEST(Order, AHopWaitsForTheEventThatTheLastKernelCarries) {
  Queue one, other;
  Order<Queue> order;
  order.launched(&one, order.before(&one, Joining::ByRuntime, true, 0), 0);
  const Steps steps = order.before(&other, Joining::ByRuntime, false, 0);
  EXPECT_TRUE(steps.hop);
  EXPECT_FALSE(steps.hop_needs_record || steps.fork || steps.join);
}

TEST(Order, TheForkIsLeftOutOnlyWhileTheApplicationPutsNothingOnItsStream) {
  Queue masked;
  Order<Queue> order;
  order.launched(&masked, order.before(&masked, Joining::Eager, false, 7), 7);
  EXPECT_FALSE(order.before(&masked, Joining::Eager, false, 7).fork);
  EXPECT_TRUE(order.before(&masked, Joining::Eager, false, 8).fork);
  order.stayed();
  EXPECT_TRUE(order.before(&masked, Joining::Eager, false, 7).fork);
}

TEST(Order, HopsAreChangesOfStreamBetweenTwoKernels) {
  Queue one, other;
  Order<Queue> order;
  const auto launch = [&order](Queue &queue) {
    order.launched(&queue, order.before(&queue, Joining::Eager, false, 0), 0);
    return order.hopped();
  };
  EXPECT_FALSE(launch(one));
  EXPECT_FALSE(launch(one));
  EXPECT_TRUE(launch(other));
  order.stayed();
  EXPECT_TRUE(order.hopped());
  order.stayed();
  EXPECT_FALSE(order.hopped());
}

TEST(Order, AMaskedStreamThatIsGoneIsNotWaitedFor) {
  Queue one, other;
  Order<Queue> order;
  order.launched(&one, order.before(&one, Joining::ByRuntime, false, 0), 0);
  order.forget(&one);
  EXPECT_FALSE(order.before(&other, Joining::ByRuntime, false, 0).hop);
}

TEST(Order, IsSteadyWhereAnotherKernelOfTheSameKindChangesNothing) {
  int masked = 0;
  int other = 0;
  Order<int> order;
  EXPECT_FALSE(order.steady(nullptr));
  order.stayed();
  EXPECT_TRUE(order.steady(nullptr));
  EXPECT_FALSE(order.steady(&masked));
  order.launched(&masked, order.before(&masked, Joining::ByRuntime, false, 0), 0);
  EXPECT_TRUE(order.steady(&masked));
  EXPECT_FALSE(order.steady(&other));
  EXPECT_FALSE(order.steady(nullptr));
  order.launched(&masked, order.before(&masked, Joining::ByRuntime, true, 1), 1);
  EXPECT_FALSE(order.steady(&masked));  // its event would no longer stand for all of the stream
  order.launched(&masked, order.before(&masked, Joining::Eager, false, 2), 2);
  EXPECT_FALSE(order.steady(&masked));
}

}  // namespace
