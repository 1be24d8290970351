// Random programs. Each favours some operations and leaves others out, so that rare meetings happen in some programs.
#include <algorithm>
#include <random>

#include "program.h"

namespace eclip::order {

namespace {

constexpr size_t longest = 100;  // below most_ops of the model

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) { program_.seed = seed; }

  Program program() {
    if (chance(10)) {
      be_steady();
      return program_;
    }
    choose_setting();
    const int tables = 1 + below(3);
    for (int table = 0; table < tables; ++table) {
      add_table();
    }
    choose_weights();
    if (chance(85)) {
      put({0, Action::swap, 0, below(tables), 0, -1});
    }
    const size_t length = 8 + static_cast<size_t>(below(chance(20) ? 85 : 40));
    while (program_.ops.size() < std::min(length, longest)) {
      step();
    }
    return program_;
  }

 private:
  // Requests of one model, while tables and active sets change.
  void be_steady() {
    program_.steady = true;
    const int kernels = 1 + below(6);
    const int tables = 1 + below(3);
    for (int table = 0; table < tables; ++table) {
      PlannedModel model{{0}, {}};
      program_.tables.push_back({2 + below(2), {}});
      for (int kernel = 0; kernel < kernels; ++kernel) {
        const int sets = program_.tables.back().sets;
        model.kernels.push_back({kernel, 0, 0, {chance(20) ? -1 : below(sets), below(sets)}});
      }
      program_.tables.back().models.push_back(model);
    }
    put({0, Action::swap, 0, 0, 0, -1});
    for (int at = 0; program_.ops.size() < 60; at = (at + 1) % kernels) {
      if (chance(8)) {
        put({0, chance(50) ? Action::swap : Action::active, 0, below(tables), 0, -1});
      }
      put({0, Action::launch, 0, at, 0, -1});
    }
  }

  struct Walk {  // of one thread on one stream through a model
    size_t table = 0, model = 0, at = 0;
  };

  int below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(random_); }
  bool chance(int percent) { return below(100) < percent; }
  void put(const Op &op) { program_.ops.push_back(op); }

  void choose_setting() {
    const int versions[] = {50221153, 50221153, 50731921, 60443484, 70051831};
    program_.version = versions[below(5)];
    program_.faults = chance(10) ? 100 : 0;
    threads_ = 1 + below(chance(40) ? most_threads : 2);
    if (chance(60)) {
      program_.options.emplace_back("ECLIP_NON_BLOCKING", chance(80) ? "redirect" : "pass");
    }
    if (chance(40)) {
      program_.options.emplace_back("ECLIP_PRIORITY", "redirect");
    }
    if (chance(40)) {
      program_.options.emplace_back("ECLIP_MAX_STREAMS", std::to_string(1 + below(4)));
    }
    if (chance(20)) {
      program_.options.emplace_back("ECLIP_DENY", "k" + std::to_string(below(4)));
    }
    const int mode = below(20);
    if (mode == 0) {
      program_.options.emplace_back("ECLIP_MODE", "observe");
    } else if (mode == 1) {
      program_.options.emplace_back("ECLIP_SINGLE_MASK", "1");
    }
  }

  void add_table() {
    Table &table = program_.tables.emplace_back();
    table.sets = 1 + below(3);
    const int models = 1 + below(2);
    const int shortest_group = chance(50) ? 1 : 3;
    for (int number = 0; number < models; ++number) {
      PlannedModel &model = table.models.emplace_back();
      const int streams = 1 + (chance(25) ? 1 : 0);
      for (int stream = 0; stream < streams; ++stream) {
        model.kinds.push_back(below(3));
      }
      const int kernels = 1 + below(6);
      PlannedKernel kernel{0, 0, 0, {0, 0}};
      for (int at = 0; at < kernels; ++at) {
        kernel.kernel = below(6);
        kernel.shape = below(2);
        kernel.stream = at == 0 ? 0 : below(streams);
        if (at % shortest_group == 0) {
          kernel.choices[0] = chance(20) ? -1 : below(table.sets);
          kernel.choices[1] = below(table.sets);
        }
        model.kernels.push_back(kernel);
      }
    }
  }

  void choose_weights() {
    const std::pair<Action, int> usual[] = {
        {Action::launch, 60},     {Action::create, 6},      {Action::destroy, 4},    {Action::event, 3},
        {Action::drop, 1},        {Action::pass, 2},        {Action::work, 8},       {Action::record, 8},
        {Action::wait, 8},        {Action::sync, 3},        {Action::query, 3},      {Action::sync_event, 2},
        {Action::query_event, 2}, {Action::sync_device, 1}, {Action::copy, 2},       {Action::begin, 2},
        {Action::end, 3},         {Action::instantiate, 2}, {Action::graph, 3},      {Action::reset, 1},
        {Action::load, 2},        {Action::unload, 1},      {Action::last_error, 2}, {Action::swap, 3},
        {Action::active, 2},      {Action::leave, 1},
    };
    for (const auto &[action, weight] : usual) {
      const int factor = below(4);  // none, as usual, more, or even more
      weights_.push_back(action == Action::launch ? weight : weight * factor * factor / 2);
      actions_.push_back(action);
    }
    null_share_ = below(4) * 30;
  }

  int some_stream() {
    if (chance(null_share_)) {
      return program_.version >= 60000000 && chance(20) ? 2 : 0;
    }
    if (chance(15)) {
      return 1;
    }
    return streams_.empty() || chance(3) ? own_streams + below(most_streams - own_streams)
                                         : streams_[static_cast<size_t>(below(static_cast<int>(streams_.size())))];
  }
  int some_event() {
    return events_.empty() || chance(3) ? below(most_events)
                                        : events_[static_cast<size_t>(below(static_cast<int>(events_.size())))];
  }

  void step() {
    std::discrete_distribution<size_t> pick(weights_.begin(), weights_.end());
    if (chance(40)) {
      thread_ = below(threads_);
    }
    const Action action = actions_[pick(random_)];
    if (action == Action::launch) {
      launch();
    } else {
      other(action);
    }
  }

  // Launches come in bursts that follow a model, so that whole requests go by.
  void launch() {
    const int stream = some_stream();
    Walk &walk = walks_[thread_][stream];
    if (chance(15) || walk.table >= program_.tables.size()) {
      walk.table = static_cast<size_t>(below(static_cast<int>(program_.tables.size())));
      walk.model = static_cast<size_t>(below(static_cast<int>(program_.tables[walk.table].models.size())));
      walk.at = 0;
    }
    const PlannedModel &model = program_.tables[walk.table].models[walk.model];
    const int burst = 1 + below(chance(30) ? 14 : 4);
    const int way = chance(50) ? 0 : chance(40) ? 10 : below(12);
    for (int count = 0; count < burst; ++count) {
      walk.at = (walk.at + (chance(4) ? 2 : 1)) % model.kernels.size();
      const PlannedKernel &kernel = model.kernels[walk.at];
      const int extra = chance(8) && !events_.empty() ? some_event() : -1;
      const int shape = chance(2) ? 2 + below(2) : kernel.shape;
      put({thread_, Action::launch, stream, kernel.kernel + 8 * shape, extra < 0 ? way : 1 + below(2), extra});
      if (shape >= 2 && chance(50)) {
        put({thread_, Action::last_error, 0, 0, 0, -1});
      }
    }
  }

  void other(Action action) {
    Op op{thread_, action, 0, 0, 0, -1};
    switch (action) {
      case Action::create:
        op.stream = own_streams + below(most_streams - own_streams);
        op.way = below(10) < 4 ? 0 : below(6);
        if (std::find(streams_.begin(), streams_.end(), op.stream) == streams_.end()) {
          streams_.push_back(op.stream);
        }
        break;
      case Action::destroy:
        op.stream =
            streams_.empty() ? own_streams : streams_[static_cast<size_t>(below(static_cast<int>(streams_.size())))];
        streams_.erase(std::remove(streams_.begin(), streams_.end(), op.stream), streams_.end());
        break;
      case Action::event:
        op.item = below(most_events);
        events_.push_back(op.item);
        break;
      case Action::begin:
        op.stream = capturing_ = some_stream();
        op.way = below(3);
        op.extra = below(3);
        break;
      case Action::end:
        op.stream = chance(90) ? capturing_ : some_stream();
        op.item = below(most_graphs);
        op.extra = below(2);
        break;
      case Action::swap: op.item = chance(5) ? -1 : below(static_cast<int>(program_.tables.size())); break;
      case Action::active: op.item = below(4); break;
      case Action::load:
      case Action::unload:
        op.item = below(most_modules);
        op.way = below(4);
        break;
      case Action::reset: streams_.clear(); break;
      default:
        op.stream = some_stream();
        op.item = action == Action::work                                     ? below(100)
                  : action == Action::graph || action == Action::instantiate ? below(most_graphs)
                                                                             : some_event();
        op.way = below(3);
        op.extra = below(2);
    }
    put(op);
  }

  std::mt19937_64 random_;
  Program program_;
  int threads_ = 1;
  int thread_ = 0;
  int null_share_ = 0;
  int capturing_ = own_streams;
  std::vector<int> weights_;
  std::vector<Action> actions_;
  std::vector<int> streams_, events_;
  Walk walks_[most_threads][most_streams + 1];
};

}  // namespace

Program generate(uint64_t seed) { return Generator(seed).program(); }

}  // namespace eclip::order
