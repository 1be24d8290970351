#include "cursor.h"

#include <gtest/gtest.h>

#include <random>

#include "plans.h"

using namespace eclip;
using eclip::test::key_of;
using eclip::test::plan_of;

namespace {

struct Followed {
  std::string streams;
  int requests = 0, mismatches = 0, resyncs = 0;
  std::string models;
};

Followed follow(const Plan &plan, const std::string &launches, Cursor &cursor) {
  Followed result;
  for (char letter : launches) {
    const Step step = cursor.advance(plan, 0, key_of(letter));
    result.streams += step.stream == whole_gpu ? '-' : step.stream == unknown_kernel ? '?' : char('0' + step.stream);
    result.requests += step.request_end;
    result.mismatches += step.mismatch;
    result.resyncs += step.resync;
    result.models += step.known ? char('0' + step.model) : '?';
  }
  return result;
}

Followed follow(const Plan &plan, const std::string &launches) {
  Cursor cursor;
  return follow(plan, launches, cursor);
}

TEST(Cursor, GivesEveryLaunchOfARequestItsOwnStream) {
  const Plan plan = plan_of({{"abcab", "01-20"}});
  const Followed result = follow(plan, "abcababcab");
  EXPECT_EQ(result.streams, "01-2001-20");
  EXPECT_EQ(result.requests, 2);
  EXPECT_EQ(result.mismatches, 0);
}

TEST(Cursor, TellsWhereTheNextKernelGoes) {
  const Plan plan = plan_of({{"ab", "01"}});
  Cursor cursor;
  EXPECT_EQ(cursor.advance(plan, 0, key_of('a')).next, 1);
  EXPECT_EQ(cursor.advance(plan, 0, key_of('b')).next, 0);
}

TEST(Cursor, ForeseesKernelsShortOfTheLastOneOfTheirGroupAndRequest) {
  const Plan plan = plan_of({{"abcdefg", "0000111"}});
  Cursor cursor;
  EXPECT_EQ(cursor.ahead(plan, false, 9), 0u);  // no place yet
  std::string ahead, anywhere;
  for (char letter : std::string("abcdefg")) {
    cursor.advance(plan, 0, key_of(letter));
    ahead += char('0' + cursor.ahead(plan, false, 9));
    anywhere += char('0' + cursor.ahead(plan, true, 9));
  }
  EXPECT_EQ(ahead, "2100100");
  EXPECT_EQ(anywhere, "5432100");
  cursor.advance(plan, 0, key_of('a'));
  EXPECT_EQ(cursor.ahead(plan, true, 2), 2u);
}

TEST(Cursor, AfterKernelsThatWereSkippedItIsWhereItWouldBeIfItHadSeenThem) {
  const std::string request = "abacabadabacabae";
  const Plan plan = plan_of({{request, "0123012301230123"}});
  for (uint32_t skipped = 1; skipped + 1 < request.size(); ++skipped) {
    Cursor seen, skipping;
    follow(plan, request.substr(0, skipped + 1), seen);
    follow(plan, request.substr(0, 1), skipping);
    skipping.skip(plan, skipped);
    EXPECT_EQ(skipping.position(), seen.position());
    // The next kernels are left out, so that both look for their place by what they remember.
    const std::string rest = request.substr(std::min<size_t>(skipped + 3, request.size()));
    const Followed expected = follow(plan, rest + request, seen);
    const Followed result = follow(plan, rest + request, skipping);
    EXPECT_EQ(result.streams, expected.streams);
    EXPECT_EQ(result.mismatches, expected.mismatches);
  }
}

TEST(Cursor, SkipsRoundAndRoundALane) {
  const Plan plan = plan_of({{"abc", "000"}});
  Cursor seen, skipping;
  follow(plan, "abcabcabca", seen);
  follow(plan, "ab", skipping);
  skipping.skip(plan, 8);
  EXPECT_EQ(skipping.position(), seen.position());
  EXPECT_EQ(follow(plan, "bcabc", skipping).mismatches, 0);
}

TEST(Cursor, TurnsWhereALaneFollowsItselfOnOneStream) {
  const Plan plan = plan_of({{"ab", "00"}, {"cd", "01"}});
  Cursor cursor;
  EXPECT_FALSE(cursor.turns(plan, true));
  follow(plan, "ab", cursor);
  EXPECT_TRUE(cursor.turns(plan, false));
  follow(plan, "cdcd", cursor);
  EXPECT_FALSE(cursor.turns(plan, false));
  EXPECT_TRUE(cursor.turns(plan, true));
  follow(plan, "abcdabcd", cursor);
  EXPECT_FALSE(cursor.turns(plan, true));
}

TEST(Cursor, WhatComesBeforeTheFirstRequestIsNoMismatch) {
  const Followed result = follow(plan_of({{"abc", "012"}}), "xyxabcabc");
  EXPECT_EQ(result.streams, "???012012");
  EXPECT_EQ(result.mismatches, 0);
  EXPECT_EQ(result.requests, 2);
}

TEST(Cursor, KeepsItsPlaceWhenAKernelIsPutIn) {
  const Followed result = follow(plan_of({{"abcdef", "012012"}}), "abxcdefabcdef");
  EXPECT_EQ(result.streams, "01?2012012012");
  EXPECT_EQ(result.mismatches, 1);
  EXPECT_EQ(result.requests, 2);
}

TEST(Cursor, FindsItsPlaceAgainWhenKernelsAreLeftOut) {
  const Followed result = follow(plan_of({{"abcdefghij", "0120120120"}}), "abghijabcdefghij");
  EXPECT_EQ(result.streams, "0101200120120120");
  EXPECT_EQ(result.mismatches, 1);
  EXPECT_EQ(result.resyncs, 1);
  EXPECT_EQ(result.requests, 2);
}

TEST(Cursor, LeavesARequestThatIsBrokenOffForANewOne) {
  const Followed result = follow(plan_of({{"abcdefghij", "0120120120"}}), "abcabcdefghij");
  EXPECT_EQ(result.streams.substr(3), "0120120120");
  EXPECT_EQ(result.requests, 1);
}

TEST(Cursor, PicksTheModelByItsSequence) {
  const Plan plan = plan_of({{"abcd", "0000"}, {"aecd", "1111"}, {"xbcd", "2222"}});
  const Followed result = follow(plan, "xbcdxbcdabcdabcd");
  EXPECT_EQ(result.models, "2222222200000000");
  EXPECT_EQ(result.mismatches, 0);
}

TEST(Cursor, LearnsWhichModelFollowsWhich) {
  const Plan plan = plan_of({{"abcd", "0000"}, {"abxy", "1111"}});
  Cursor cursor;
  follow(plan, "abcdabxyabcdabxy", cursor);
  const Followed later = follow(plan, "abcdabxyabcdabxy", cursor);
  EXPECT_EQ(later.streams, "0000111100001111");
  EXPECT_EQ(later.mismatches, 0);
}

TEST(Cursor, GivesTheUsualStreamWhileItIsLost) {
  const Plan plan = plan_of({{"abcdefghijklmnop", "0000000011111111"}});
  // In no order of the model: each kernel alone is known.
  const Followed result = follow(plan, "abcpamdibohkfg");
  EXPECT_EQ(result.streams.substr(0, 3), "000");
  EXPECT_EQ(result.streams.find('?'), std::string::npos);
  EXPECT_GT(result.mismatches, 5);
}

TEST(Cursor, TakesTheVariantOfTheActiveSetAtTheStartOfARequestOnly) {
  Plan plan = plan_of({{"abc", "000"}});
  plan.variants.push_back(plan.variants[0]);
  plan.variants[1].active = 5;
  plan.variants[1].streams = {{1, 1, 1}};
  Cursor cursor;
  EXPECT_EQ(cursor.advance(plan, 0, key_of('a')).stream, 0);
  EXPECT_EQ(cursor.advance(plan, 5, key_of('b')).stream, 0);
  EXPECT_EQ(cursor.advance(plan, 5, key_of('c')).stream, 0);
  EXPECT_EQ(cursor.advance(plan, 5, key_of('a')).stream, 1);
  EXPECT_FALSE(cursor.at_boundary());
}

TEST(Cursor, ComesBackFromAnyDisturbance) {
  const std::string request = "abacadaebfcgdhaiajak";
  std::string streams;
  for (size_t at = 0; at < request.size(); ++at) {
    streams += static_cast<char>('0' + at % 3);
  }
  const Plan plan = plan_of({{request, streams}});
  std::mt19937 chance(7);
  for (int trial = 0; trial < 300; ++trial) {
    Cursor cursor;
    std::string noise;
    for (unsigned count = chance() % 40; count > 0; --count) {
      noise += static_cast<char>('a' + chance() % 14);
    }
    follow(plan, request + noise + request + request, cursor);
    const Followed after = follow(plan, request, cursor);
    EXPECT_EQ(after.streams, streams) << noise;
    EXPECT_EQ(after.mismatches, 0) << noise;
  }
}

}  // namespace
