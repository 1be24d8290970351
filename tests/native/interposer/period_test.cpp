#include "period.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "profile_text.h"

using namespace eclip;

namespace {

// A letter is a launch; a blank before it: the host waited.
std::vector<Recorded> launches(const std::string &text, uint64_t mark = 0) {
  std::vector<Recorded> sequence;
  bool waited = false;
  for (char letter : text) {
    if (letter == ' ') {
      waited = true;
    } else {
      sequence.push_back({static_cast<uint32_t>(letter), waited, waited ? 50u : 2u, mark});
      waited = false;
    }
  }
  return sequence;
}

std::string repeated(const std::string &text, int times) {
  std::string result;
  while (times-- > 0) {
    result += text;
  }
  return result;
}

TEST(Period, IsTheSmallestOfManyByBruteForce) {
  std::mt19937 chance(3);
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<uint32_t> items;
    for (unsigned count = 1 + chance() % 12; count > 0; --count) {
      items.push_back(chance() % 2);
    }
    size_t expected = 1;
    while (!std::equal(items.begin() + static_cast<std::ptrdiff_t>(expected), items.end(), items.begin())) {
      ++expected;
    }
    EXPECT_EQ(smallest_period(items), expected);
  }
}

TEST(Period, TheRequestBeginsWhereTheHostWaits) {
  const auto sequence = launches("xyz" + repeated(" abcd", 6));
  const auto cycle = find_cycle(sequence);
  ASSERT_TRUE(cycle);
  EXPECT_EQ(cycle->length, 4u);
  EXPECT_EQ(sequence[cycle->begin].item, static_cast<uint32_t>('a'));
}

TEST(Period, EqualLayersAreNotTakenForRequests) {
  const std::string request = " h" + repeated("abc", 12) + "t";
  const auto cycle = find_cycle(launches(repeated(request, 5)));
  ASSERT_TRUE(cycle);
  EXPECT_EQ(cycle->length, 38u);
}

TEST(Period, ASequenceThatDoesNotRepeatHasNone) {
  std::string text;
  std::mt19937 chance(5);
  for (int count = 0; count < 900; ++count) {
    text += static_cast<char>('a' + chance() % 26);
  }
  EXPECT_FALSE(find_cycle(launches(text)));
  EXPECT_FALSE(find_cycle({}));
}

TEST(Period, WithoutWaitsMoreLaunchesAreAskedFor) {
  EXPECT_FALSE(find_cycle(launches(repeated("abcd", 20))));
  EXPECT_TRUE(find_cycle(launches(repeated("abcd", 300))));
}

TEST(Period, MarkedRequestsAreTakenAsTheyAre) {
  std::vector<Recorded> sequence;
  for (uint64_t mark = 1; mark < 6; ++mark) {
    for (const Recorded &launch : launches("ababab", mark)) {
      sequence.push_back(launch);
    }
  }
  const auto cycle = find_cycle(sequence);
  ASSERT_TRUE(cycle);
  EXPECT_EQ(cycle->length, 6u);
  sequence[20].item = 'z';  // two of the last three requests differ
  EXPECT_FALSE(find_cycle(sequence));
}

TEST(ProfileText, IsTheDocumentOfTheIssue) {
  ProfileText profile;
  profile.name = "My_Program";
  profile.product = "MI50";
  profile.compute_units = 60;
  profile.sizes = {15, 60};
  profile.streams = {StreamKind::Null, StreamKind::NonBlocking};
  profile.symbols = {"_Z4gemmPfS_", "odd\"name\\"};
  profile.kernels = {{0, {1, {64, 1, 1}, {256, 1, 1}}, 0, {220.1, 80.25}}, {1, {2, {1, 2, 3}, {4, 5, 6}}, 1, {0, 1}}};
  EXPECT_EQ(write_profile(profile),
            "apiVersion: eclip.dev/v1alpha1\nkind: KernelProfile\nmetadata: {name: my-program}\nspec:\n"
            "  gpu: {product: \"MI50\", computeUnits: 60}\n  origin: Measured\n  sizes: [15, 60]\n"
            "  streams: [Null, NonBlocking]\n  symbols:\n  - \"_Z4gemmPfS_\"\n  - \"odd\\\"name\\\\\"\n  kernels:\n"
            "  - {symbol: 0, grid: [64, 1, 1], block: [256, 1, 1], micros: [220.100, 80.250]}\n"
            "  - {symbol: 1, grid: [1, 2, 3], block: [4, 5, 6], stream: 1, micros: [0.001, 1.000]}\n");
}

TEST(ProfileText, TheMedianOfAnEvenCountIsBetweenTheMiddleTwo) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

}  // namespace
