// Plans for tests, by letters: the kernels of each model, and for each of them the stream it gets.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "plan.h"

namespace eclip::test {

inline KernelKey key_of(char letter) { return {static_cast<NameId>(letter), {1, 1, 1}, {64, 1, 1}}; }

struct LetterModel {
  std::string kernels;  // one letter a launch
  std::string streams;  // same length: '0'.. masked stream, '-' the application's own
};

inline void add_model(Plan &plan, const LetterModel &model, uint32_t number) {
  Lane lane{number, StreamKind::Null, true, {}, {}};
  std::vector<int16_t> streams;
  for (uint32_t at = 0; at < model.kernels.size(); ++at) {
    const KernelKey key = key_of(model.kernels[at]);
    const auto [entry, added] = plan.key_index.emplace(key, static_cast<uint32_t>(plan.keys.size()));
    if (added) {
      plan.keys.push_back(key);
      plan.places.emplace_back();
    }
    plan.places[entry->second].push_back({number, at});
    lane.keys.push_back(entry->second);
    lane.index.push_back(at);
    const char stream = model.streams[at];
    streams.push_back(static_cast<int16_t>(stream == '-' ? whole_gpu : stream - '0'));
  }
  plan.models.push_back("model");
  plan.lanes.push_back(std::move(lane));
  plan.variants[0].uniform.push_back(std::equal(streams.begin() + 1, streams.end(), streams.begin()));
  plan.variants[0].streams.push_back(std::move(streams));
}

inline Plan plan_of(const std::vector<LetterModel> &models) {
  Plan plan;
  plan.generation = 1;
  plan.sets.resize(3);
  plan.variants.resize(1);
  for (uint32_t number = 0; number < models.size(); ++number) {
    add_model(plan, models[number], number);
  }
  for (size_t key = 0; key < plan.keys.size(); ++key) {
    const Place place = plan.places[key].front();
    plan.variants[0].usual.push_back(plan.variants[0].streams[place.lane][place.position]);
  }
  return plan;
}

}  // namespace eclip::test
