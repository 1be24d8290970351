#include "table.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "eclip/table_generated.h"

using namespace eclip;

namespace {

struct Draft {
  uint16_t format = table_format;
  uint16_t compute_units = 60;
  uint16_t set_size = 15;
  std::vector<uint32_t> set{0x11111111, 0x01111111};
  std::vector<wire::Kernel> kernels{{0, 1, 1, 1, 64, 1, 1, 0}, {1, 2, 1, 1, 64, 1, 1, 1}, {0, 1, 1, 1, 64, 1, 1, 0}};
  std::vector<uint8_t> streams{1, 2};
  std::vector<wire::Group> groups{{0, 1, 0}, {2, 2, -1}};
  size_t choices = 1;
  size_t variants = 1;
};

std::vector<uint8_t> encode(const Draft &draft) {
  flatbuffers::FlatBufferBuilder builder;
  const auto stream = wire::CreateMaskedStream(builder, draft.set_size, builder.CreateVector(draft.set));
  const std::vector<std::string> symbols{"one", "two"};
  const auto model =
      wire::CreateModel(builder, builder.CreateString("model"), builder.CreateVectorOfStrings(symbols),
                        builder.CreateVector(draft.streams), builder.CreateVectorOfStructs(draft.kernels));
  std::vector<flatbuffers::Offset<wire::Variant>> variants;
  for (size_t variant = 0; variant < draft.variants; ++variant) {
    std::vector<flatbuffers::Offset<wire::Choice>> choices;
    for (size_t choice = 0; choice < draft.choices; ++choice) {
      choices.push_back(wire::CreateChoice(builder, builder.CreateVectorOfStructs(draft.groups)));
    }
    variants.push_back(wire::CreateVariant(builder, variant, builder.CreateVector(choices)));
  }
  const auto product = builder.CreateString("MI50");
  const auto streams = builder.CreateVector(&stream, 1);
  const auto models = builder.CreateVector(&model, 1);
  builder.Finish(wire::CreateLookupTable(builder, draft.format, product, draft.compute_units, streams, models,
                                         builder.CreateVector(variants)),
                 wire::LookupTableIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

NameId intern(const std::string &name) { return name == "one" ? 1 : 2; }

auto read(const std::vector<uint8_t> &bytes) { return read_table(bytes.data(), bytes.size(), 5, intern); }

eclip_refusal refusal(const Draft &draft) {
  const auto result = read(encode(draft));
  const auto *found = std::get_if<Refusal>(&result);
  return found ? found->why : ECLIP_TABLE_ACCEPTED;
}

TEST(Table, SpreadsGroupsOverLanes) {
  const auto result = read(encode({}));
  const auto *plan = std::get_if<std::shared_ptr<const Plan>>(&result);
  ASSERT_TRUE(plan);
  ASSERT_EQ((*plan)->lanes.size(), 2u);
  EXPECT_EQ((*plan)->variants[0].streams, (std::vector<std::vector<int16_t>>{{0, whole_gpu}, {0}}));
  EXPECT_EQ((*plan)->lanes[1].kind, StreamKind::NonBlocking);
  EXPECT_TRUE((*plan)->lanes[0].first);
  EXPECT_FALSE((*plan)->lanes[1].first);
  EXPECT_EQ((*plan)->keys.size(), 2u);
  EXPECT_EQ((*plan)->generation, 5u);
}

TEST(Table, RefusesWhatDoesNotFitTogether) {
  const std::vector<std::function<void(Draft &)>> faults = {
      [](Draft &draft) { draft.compute_units = 0; },
      [](Draft &draft) { draft.compute_units = 50; },  // CUs beyond it
      [](Draft &draft) { draft.set_size = 14; },
      [](Draft &draft) {
        draft.set = {0, 0};
        draft.set_size = 0;
      },
      [](Draft &draft) {
        draft.set = {0xffffffff, 0x0fffffff};
        draft.set_size = 60;
      },
      [](Draft &draft) { draft.kernels[1] = {7, 1, 1, 1, 1, 1, 1, 0}; },
      [](Draft &draft) { draft.kernels[1] = {0, 1, 1, 1, 1, 1, 1, 2}; },
      [](Draft &draft) { draft.kernels.clear(); },
      [](Draft &draft) {
        draft.groups = {{0, 1, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{0, 3, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{0, 1, 0}, {1, 2, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{1, 2, 0}, {0, 0, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{0, 1, 1}, {2, 2, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{0, 1, -2}, {2, 2, 0}};
      },
      [](Draft &draft) {
        draft.groups = {{0, 0xffffffff, 0}};
      },
      [](Draft &draft) { draft.choices = 2; },
      [](Draft &draft) { draft.variants = 0; },
  };
  for (size_t index = 0; index < faults.size(); ++index) {
    Draft draft;
    faults[index](draft);
    EXPECT_EQ(refusal(draft), ECLIP_TABLE_INCONSISTENT) << "fault " << index;
  }
}

TEST(Table, RefusesAnotherFormat) {
  Draft draft;
  draft.format = table_format + 1;
  EXPECT_EQ(refusal(draft), ECLIP_TABLE_FORMAT);
}

TEST(Table, AnyDamageIsRefusedOrHarmless) {
  const std::vector<uint8_t> good = encode({});
  std::mt19937 chance(1);
  for (int trial = 0; trial < 20000; ++trial) {
    std::vector<uint8_t> bytes = good;
    for (unsigned count = 1 + chance() % 4; count > 0; --count) {
      bytes[chance() % bytes.size()] = static_cast<uint8_t>(chance());
    }
    bytes.resize(chance() % 4 == 0 ? chance() % bytes.size() : bytes.size());
    const auto result = read(bytes);
    if (const auto *plan = std::get_if<std::shared_ptr<const Plan>>(&result)) {
      for (const auto &streams : (*plan)->variants.at(0).streams) {
        for (int16_t stream : streams) {
          EXPECT_LT(stream, static_cast<int>((*plan)->sets.size()));
        }
      }
    }
  }
}

}  // namespace
