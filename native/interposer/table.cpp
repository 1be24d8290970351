#include "table.h"

#include <algorithm>

#include "eclip/table_generated.h"

namespace eclip {

namespace {

using Text = std::string;

Text number(size_t value) { return std::to_string(value); }

// Each reader gives an empty text, or what is wrong.
Text read_sets(const wire::LookupTable &table, Plan &plan) {
  plan.compute_units = table.compute_units();
  if (plan.compute_units == 0 || plan.compute_units > 32 * ECLIP_MASK_WORDS) {
    return "compute_units is " + number(plan.compute_units) + ", not 1.." + number(32 * ECLIP_MASK_WORDS);
  }
  if (table.streams()->size() > ECLIP_STREAMS) {
    return number(table.streams()->size()) + " masked streams; at most " + number(ECLIP_STREAMS);
  }
  for (const auto *stream : *table.streams()) {
    const Text name = "masked stream " + number(plan.sets.size());
    if (!stream->cus()) {
      return name + " has no CUs";
    }
    CuSet set = cu_set(stream->cus()->data(), stream->cus()->size());
    if (set.words.empty() || set.end() > plan.compute_units) {
      return name + " is empty or has CUs beyond the GPU's " + number(plan.compute_units);
    }
    if (set.count() != stream->compute_units() || set.count() == plan.compute_units) {
      return name + " has " + number(set.count()) + " CUs, says " + number(stream->compute_units()) +
             ", and must leave some of the GPU out";
    }
    plan.sets.push_back(std::move(set));
  }
  return {};
}

StreamKind kind_of(const wire::Model &model, uint32_t stream) {
  if (!model.streams() || model.streams()->size() == 0) {
    return StreamKind::Unknown;
  }
  switch (model.streams()->Get(stream)) {
    case wire::StreamKind_Null: return StreamKind::Null;
    case wire::StreamKind_Blocking: return StreamKind::Blocking;
    default: return StreamKind::NonBlocking;
  }
}

uint32_t key_of(Plan &plan, const wire::Kernel &kernel, NameId name) {
  const KernelKey key{name,
                      {kernel.grid_x(), kernel.grid_y(), kernel.grid_z()},
                      {kernel.block_x(), kernel.block_y(), kernel.block_z()}};
  const auto [entry, added] = plan.key_index.emplace(key, static_cast<uint32_t>(plan.keys.size()));
  if (added) {
    plan.keys.push_back(key);
    plan.places.emplace_back();
  }
  return entry->second;
}

Text check_model(const wire::Model &model) {
  const uint32_t streams = model.streams() && model.streams()->size() ? model.streams()->size() : 1;
  if (model.kernels()->size() == 0) {
    return "has no kernels";
  }
  for (uint32_t index = 0; index < model.kernels()->size(); ++index) {
    const auto *kernel = model.kernels()->Get(index);
    if (kernel->symbol() >= model.symbols()->size() || kernel->stream() >= streams) {
      return "kernel " + number(index) + " names a symbol or stream that is not there";
    }
  }
  return {};
}

void read_model(const wire::Model &model, Plan &plan, const Intern &intern) {
  const auto number_of_model = static_cast<uint32_t>(plan.models.size());
  plan.models.push_back(model.name()->str());
  std::vector<NameId> names;
  for (const auto *symbol : *model.symbols()) {
    names.push_back(intern(symbol->str()));
  }
  const uint32_t first_stream = model.kernels()->Get(0)->stream();
  std::unordered_map<uint32_t, uint32_t> lane_of_stream;
  for (uint32_t index = 0; index < model.kernels()->size(); ++index) {
    const auto *kernel = model.kernels()->Get(index);
    const auto [entry, added] = lane_of_stream.emplace(kernel->stream(), static_cast<uint32_t>(plan.lanes.size()));
    if (added) {
      plan.lanes.push_back(
          {number_of_model, kind_of(model, kernel->stream()), kernel->stream() == first_stream, {}, {}});
    }
    Lane &lane = plan.lanes[entry->second];
    const uint32_t key = key_of(plan, *kernel, names[kernel->symbol()]);
    plan.places[key].push_back({entry->second, static_cast<uint32_t>(lane.keys.size())});
    lane.keys.push_back(key);
    lane.index.push_back(index);
  }
}

Text read_models(const wire::LookupTable &table, Plan &plan, const Intern &intern) {
  if (table.models()->size() > ECLIP_MODELS) {
    return number(table.models()->size()) + " models; at most " + number(ECLIP_MODELS);
  }
  for (const auto *model : *table.models()) {
    const Text wrong = check_model(*model);
    if (!wrong.empty()) {
      return "model " + number(plan.models.size()) + " " + wrong;
    }
    read_model(*model, plan, intern);
  }
  return {};
}

// The groups of one model, spread out per kernel. They must cover 0..kernels-1 in order, without gap or overlap.
Text spread_groups(const wire::Choice &choice, size_t kernels, size_t sets, std::vector<int16_t> &streams) {
  for (const auto *group : *choice.groups()) {
    if (group->first() != streams.size() || group->last() < group->first() || group->last() >= kernels) {
      return "group " + number(group->first()) + ".." + number(group->last()) + " does not follow kernel " +
             number(streams.size()) + " of " + number(kernels);
    }
    if (group->stream() < whole_gpu || group->stream() >= static_cast<int64_t>(sets)) {
      return "group names masked stream " + std::to_string(group->stream());
    }
    streams.resize(group->last() + 1, static_cast<int16_t>(group->stream()));
  }
  return streams.size() == kernels ? Text() : "groups end at kernel " + number(streams.size());
}

void choose_usual(const Plan &plan, PlanVariant &variant) {
  std::vector<std::vector<uint32_t>> votes(plan.keys.size(), std::vector<uint32_t>(plan.sets.size() + 1, 0));
  for (size_t lane = 0; lane < plan.lanes.size(); ++lane) {
    for (size_t at = 0; at < plan.lanes[lane].keys.size(); ++at) {
      ++votes[plan.lanes[lane].keys[at]][static_cast<size_t>(variant.streams[lane][at] + 1)];
    }
  }
  for (const auto &vote : votes) {
    const auto most = std::max_element(vote.begin(), vote.end()) - vote.begin();
    variant.usual.push_back(static_cast<int16_t>(most - 1));
  }
}

Text read_variant(const wire::Variant &wire_variant, const wire::LookupTable &table, Plan &plan) {
  if (wire_variant.choices()->size() != plan.models.size()) {
    return "has choices for " + number(wire_variant.choices()->size()) + " models of " + number(plan.models.size());
  }
  PlanVariant variant;
  variant.active = wire_variant.active();
  std::vector<std::vector<int16_t>> per_model(plan.models.size());
  for (uint32_t model = 0; model < per_model.size(); ++model) {
    const auto *choice = wire_variant.choices()->Get(model);
    if (!choice->groups()) {
      return "has no groups for model " + number(model);
    }
    const size_t kernels = table.models()->Get(model)->kernels()->size();
    const Text wrong = spread_groups(*choice, kernels, plan.sets.size(), per_model[model]);
    if (!wrong.empty()) {
      return "model " + number(model) + ": " + wrong;
    }
  }
  for (const Lane &lane : plan.lanes) {
    auto &streams = variant.streams.emplace_back();
    for (uint32_t index : lane.index) {
      streams.push_back(per_model[lane.model][index]);
    }
    variant.uniform.push_back(std::equal(streams.begin() + 1, streams.end(), streams.begin()));
  }
  choose_usual(plan, variant);
  plan.variants.push_back(std::move(variant));
  return {};
}

Text read_variants(const wire::LookupTable &table, Plan &plan) {
  if (table.variants()->size() == 0 && !plan.models.empty()) {
    return "no variants";
  }
  for (const auto *variant : *table.variants()) {
    const Text wrong = read_variant(*variant, table, plan);
    if (!wrong.empty()) {
      return "variant " + number(plan.variants.size()) + " " + wrong;
    }
  }
  return {};
}

}  // namespace

std::variant<std::shared_ptr<const Plan>, Refusal> read_table(const uint8_t *bytes, size_t size, uint64_t generation,
                                                              const Intern &intern) {
  if (size > table_bytes_limit) {
    return Refusal{ECLIP_TABLE_UNREADABLE, number(size) + " bytes are more than a table may have"};
  }
  flatbuffers::Verifier verifier(bytes, size);
  if (size < 8 || !wire::LookupTableBufferHasIdentifier(bytes) || !wire::VerifyLookupTableBuffer(verifier)) {
    return Refusal{ECLIP_TABLE_MALFORMED, "not a table, or damaged"};
  }
  const wire::LookupTable &table = *wire::GetLookupTable(bytes);
  if (table.format() != table_format) {
    return Refusal{ECLIP_TABLE_FORMAT, "format " + number(table.format()) + ", not " + number(table_format)};
  }
  auto plan = std::make_shared<Plan>();
  plan->generation = generation;
  plan->product = table.product()->str();
  if (table.profiling()) {
    plan->profiling = true;
    plan->warm_up_requests = table.profiling()->warm_up_requests();
    plan->repeats = table.profiling()->repeats();
  }
  Text wrong = read_sets(table, *plan);
  if (wrong.empty()) {
    wrong = read_models(table, *plan, intern);
  }
  if (wrong.empty()) {
    wrong = read_variants(table, *plan);
  }
  if (!wrong.empty()) {
    return Refusal{ECLIP_TABLE_INCONSISTENT, wrong};
  }
  return std::shared_ptr<const Plan>(std::move(plan));
}

std::shared_ptr<const Plan> on_one_stream(const Plan &plan) {
  auto single = std::make_shared<Plan>(plan);
  if (plan.variants.empty()) {
    return single;
  }
  std::vector<uint32_t> votes(plan.sets.size() + 1, 0);
  for (const auto &lane : plan.variants[0].streams) {
    for (const int16_t stream : lane) {
      ++votes[static_cast<size_t>(stream + 1)];
    }
  }
  const auto most = static_cast<int16_t>(std::max_element(votes.begin(), votes.end()) - votes.begin() - 1);
  for (PlanVariant &variant : single->variants) {
    for (auto &lane : variant.streams) {
      std::fill(lane.begin(), lane.end(), most);
    }
    variant.uniform.assign(variant.streams.size(), true);
    std::fill(variant.usual.begin(), variant.usual.end(), most);
  }
  return single;
}

}  // namespace eclip
