#include "masks.h"

#include <gtest/gtest.h>

using namespace eclip;

namespace {

CuSet of(std::vector<uint32_t> cus) {
  CuSet set;
  for (uint32_t cu : cus) {
    set.add(cu);
  }
  return set;
}

TEST(Masks, OneBitIsOneCuOnChipsThatReportTheirCus) {
  const MaskUnits units = mask_units(60, 60, 50221153);
  EXPECT_EQ(hip_words(cu_set(std::vector<uint32_t>{0x11111111, 0x01111111}.data(), 2), units),
            (std::vector<uint32_t>{0x11111111, 0x01111111}));
}

TEST(Masks, OneBitIsOneWgpFromRocm57OnAndAPairOfBitsBefore) {
  const CuSet set = of({0, 1, 4, 5, 7});  // half of the fourth WGP must not become a whole one
  EXPECT_EQ(hip_words(set, mask_units(8, 4, 60000000)), (std::vector<uint32_t>{0b0101}));
  EXPECT_EQ(hip_words(of({0, 1, 4, 5}), mask_units(8, 4, 50600000)), (std::vector<uint32_t>{0b110011}));
}

TEST(Masks, WhatHipReadsBackIsTheSetAgain) {
  for (int version : {50221153, 60300000}) {
    const MaskUnits units = mask_units(96, 48, version);
    const CuSet set = of({0, 1, 34, 35, 94, 95});
    EXPECT_EQ(from_hip_words(hip_words(set, units), units), set);
  }
}

TEST(Masks, BitsBeyondTheGpuAreNotCus) {
  EXPECT_EQ(from_hip_words({0xffffffff, 0xffffffff}, mask_units(60, 60, 0)), all_cus(60));
}

TEST(Masks, HsaCuMaskIsReadAsRocrReadsIt) {
  EXPECT_EQ(clip_by_hsa_cu_mask(nullptr, 0, 8), all_cus(8));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:0-2,5", 0, 8), of({0, 1, 2, 5}));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:0xF1", 0, 8), of({0, 4, 5, 6, 7}));
  EXPECT_EQ(clip_by_hsa_cu_mask("1:0-3; 0,2 : 6-99", 0, 8), of({6, 7}));
  EXPECT_EQ(clip_by_hsa_cu_mask("1:0-3", 0, 8), all_cus(8));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:1;", 0, 8), of({1}));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:1-", 0, 8), of({1}));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:-1", 0, 8), of({0, 1}));
}

TEST(Masks, OfHsaCuMaskHoldsWhatComesBeforeTheFirstFault) {
  EXPECT_EQ(clip_by_hsa_cu_mask("0:0-2;1:3-1", 0, 8), of({0, 1, 2}));
  EXPECT_EQ(clip_by_hsa_cu_mask("1:3-1;0:0-2", 0, 8), all_cus(8));
  EXPECT_EQ(clip_by_hsa_cu_mask("1:0;1:1;0:0-2", 0, 8), all_cus(8));
  EXPECT_EQ(clip_by_hsa_cu_mask("0:0-2;0:5", 0, 8), of({0, 1, 2}));
}

TEST(Masks, AnEnvironmentThatIsNotUnderstoodClipsNothing) {
  for (const char *value :
       {"", "0", "0:", "0:0x", "0:0x0", "x:1", "0:1,,2", "0:1,1", "0:0x1g", ":1", "0:3-1", "0:1:2"}) {
    EXPECT_EQ(clip_by_hsa_cu_mask(value, 0, 8), all_cus(8)) << value;
  }
  EXPECT_EQ(clip_by_global_mask("17", mask_units(8, 8, 0)), all_cus(8));
}

TEST(Masks, TheGlobalMaskIsInHipsBits) {
  EXPECT_EQ(clip_by_global_mask("0x3", mask_units(8, 4, 60000000)), of({0, 1, 2, 3}));
  EXPECT_EQ(clip_by_global_mask("0x3", mask_units(8, 8, 60000000)), of({0, 1}));
}

}  // namespace
