#include "profiler.h"

#include <algorithm>

#include "launch.h"

namespace eclip {

namespace {

constexpr size_t most_launches = 1u << 20;  // recorded before the search is given up
constexpr size_t first_search = 24;         // launches before it begins
constexpr size_t alignment_launches = 8;    // that must agree before a request is timed

StreamKind kind_of(const AppStream &stream) {
  switch (stream.kind) {
    case AppStream::Kind::Null: return StreamKind::Null;
    case AppStream::Kind::NonBlocking: return StreamKind::NonBlocking;
    default: return StreamKind::Blocking;
  }
}

}  // namespace

Profiler::Profiler(std::string path, Kernels &kernels, Streams &streams, Stats &stats)
    : path_(std::move(path)), kernels_(kernels), streams_(streams), stats_(stats) {}

hip::Error Profiler::launch(const Runtime &runtime, Thread &thread, AppStream &stream, Track &track,
                            const Launch &launch, const Issue &issue, Kernels::Found kernel) {
  const std::lock_guard<std::mutex> lock(mutex_);
  in_use_.store(true, std::memory_order_relaxed);
  if (track.plan && (!plan_ || track.plan->generation > plan_->generation)) {
    begin(track.plan);
  }
  const bool capturing = streams_.capture_in_progress() && streams_.capturing(runtime, launch.stream);
  if (plan_ && !owner_) {
    owner_ = &thread;
  }
  read_times(runtime);
  if (!plan_ || track.plan != plan_ || state_ == State::Done || &thread != owner_ || capturing) {
    bump(track.counters->passed[capturing ? ECLIP_PASS_CAPTURING : ECLIP_PASS_OBSERVING]);
    return issue.plain(launch.stream);
  }
  const uint32_t item = record(thread, stream, key_of(launch, kernel.name));
  if (state_ == State::Measuring) {
    if (cycle_[position_].item == item) {
      const hip::Error error = time(runtime, stream, track, launch, issue, kernel.denied);
      if (state_ == State::Measuring && ++position_ == cycle_.size()) {
        end_of_pass();
      }
      return error;
    }
    lose_place();
  }
  if (state_ == State::Searching && sequence_.size() >= next_search_) {
    search();
  }
  if (state_ == State::Aligning && aligned()) {
    state_ = State::Measuring;
    position_ = 0;
  } else if (state_ == State::Aligning && ++out_of_place_ > 4 * cycle_.size() + 256) {
    state_ = State::Searching;
    next_search_ = sequence_.size();
  }
  bump(track.counters->passed[ECLIP_PASS_OBSERVING]);
  return issue.plain(launch.stream);
}

uint32_t Profiler::record(Thread &thread, const AppStream &stream, const KernelKey &key) {
  const Item item{key, stream.id.load(std::memory_order_relaxed), kind_of(stream)};
  const auto [entry, added] = item_index_.emplace(item, static_cast<uint32_t>(items_.size()));
  if (added) {
    items_.push_back(item);
  }
  const uint64_t now = now_ns();
  const uint64_t gap = last_launch_ns_ == 0 ? 0 : (now - last_launch_ns_) / 1000;
  last_launch_ns_ = now;
  sequence_.push_back(
      {entry->second, thread.waited, static_cast<uint32_t>(std::min<uint64_t>(gap, UINT32_MAX)), thread.marks.count});
  thread.waited = false;
  return entry->second;
}

// What was measured under an earlier table is left. The sizes come with the table.
void Profiler::begin(std::shared_ptr<const Plan> plan) {
  plan_ = std::move(plan);
  timings_.forget();
  state_ = State::Searching;
  owner_ = nullptr;
  sequence_.clear();
  items_.clear();
  item_index_.clear();
  cycle_.clear();
  last_launch_ns_ = 0;
  next_search_ = first_search;
  sets_.clear();
  for (size_t set = 0; set < plan_->sets.size(); ++set) {
    sets_.push_back(set);
  }
  std::sort(sets_.begin(), sets_.end(),
            [this](size_t one, size_t other) { return plan_->sets[one].count() < plan_->sets[other].count(); });
  file_.begin(path_);
}

void Profiler::search() {
  const std::optional<Cycle> found = find_cycle(sequence_);
  next_search_ = sequence_.size() + sequence_.size() / 4 + 1;
  if (!found) {
    if (sequence_.size() > most_launches) {
      fail("no sequence of kernels repeats within " + std::to_string(sequence_.size()) +
           " launches; mark the requests with roctx ranges");
    }
    return;
  }
  bool same = found->length == cycle_.size();
  for (size_t at = 0; same && at < found->length; ++at) {
    same = cycle_[at].item == sequence_[found->begin + at].item;
  }
  if (!same) {
    cycle_.assign(found->length, Position());
    for (size_t at = 0; at < found->length; ++at) {
      cycle_[at].item = sequence_[found->begin + at].item;
      cycle_[at].timed.resize(sets_.size() + 1);
      cycle_[at].samples.resize(sets_.size() + 1);
    }
    begin_measuring();
  }
  state_ = State::Aligning;
  out_of_place_ = 0;
}

// The last launches are the end of a request.
bool Profiler::aligned() const {
  const size_t count = std::min(cycle_.size(), alignment_launches);
  for (size_t back = 0; back < count; ++back) {
    if (sequence_[sequence_.size() - 1 - back].item != cycle_[cycle_.size() - 1 - back].item) {
      return false;
    }
  }
  return sequence_.size() >= count;
}

void Profiler::lose_place() {
  state_ = State::Aligning;
  position_ = 0;
  out_of_place_ = 0;
}

hip::Error Profiler::time(const Runtime &runtime, AppStream &stream, Track &track, const Launch &launch,
                          const Issue &issue, bool denied) {
  if (!size_) {
    bump(track.counters->passed[ECLIP_PASS_OBSERVING]);
    return issue.plain(launch.stream);
  }
  // A thread under another plan may be looking for masked streams to retire.
  const std::lock_guard<std::mutex> lock(bench_.mutex);
  const bool narrow = *size_ < sets_.size() && !denied;
  bool possible = launch.movable && !launch.start && !launch.stop && !streams_.capture_in_progress() &&
                  !(narrow && stream.user_masked);
  MaskedStream *target = nullptr;
  eclip_reason why = denied ? ECLIP_PASS_DENIED : ECLIP_PASS_WHOLE_GPU;
  if (possible && narrow) {
    target = streams_.masked(runtime, bench_, *plan_, sets_[*size_], why, &stream);
    possible = target != nullptr;
    if (!possible) {
      fail("no masked stream of " + std::to_string(plan_->sets[sets_[*size_]].count()) +
           " CUs could be made, or its mask is not in force");
    }
  }
  const std::optional<EventPair> events = possible ? timings_.events(runtime) : std::nullopt;
  if (!events || !fork(runtime, target, launch.stream)) {
    if (events) {
      timings_.give_back(*events);
    }
    bump(track.counters->passed[ECLIP_PASS_UNSUPPORTED]);
    return issue.plain(launch.stream);
  }
  const hip::Error error = run_on(runtime, target, launch, issue, *events);
  bump(target ? track.counters->redirected : track.counters->passed[why]);
  return error;
}

// Before a kernel moves to `target`; null: it does not. False: the kernel may stay.
bool Profiler::fork(const Runtime &runtime, const MaskedStream *target, hip::Stream from) {
  return !target || (runtime.hipEventRecord(bench_.fork_event, from) == hip::success &&
                     runtime.hipStreamWaitEvent(target->handle, bench_.fork_event, 0) == hip::success);
}

hip::Error Profiler::run_on(const Runtime &runtime, const MaskedStream *target, const Launch &launch,
                            const Issue &issue, const EventPair &events) {
  const hip::Stream on = target ? target->handle : launch.stream;
  if (last_stop_) {
    runtime.hipStreamWaitEvent(on, last_stop_, 0);
  }
  const hip::Error error = issue.with_events(on, events.start, events.stop);
  if (error != hip::success) {
    timings_.give_back(events);
    return error;
  }
  last_stop_ = events.stop;
  if (target && runtime.hipStreamWaitEvent(launch.stream, events.stop, 0) != hip::success) {
    runtime.hipStreamSynchronize(on);
  }
  const uint32_t before = cycle_[position_].timed[*size_]++;
  timings_.launched({events, static_cast<uint32_t>(position_), *size_, before >= plan_->warm_up_requests});
  return error;
}

void Profiler::host_waited(const Runtime &runtime) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (timings_.none_under_way() || !read_times(runtime)) {
    return;
  }
  if (state_ == State::Measuring) {
    show_progress();
  }
  // What the last call returned is the application's last error: not that there is a kernel that has not ended.
  int device = 0;
  runtime.hipGetDevice(&device);
}

// False where the runtime must not be asked.
bool Profiler::read_times(const Runtime &runtime) {
  if (streams_.capture_in_progress()) {
    return false;
  }
  double micros = 0;
  while (const std::optional<Timing> timing = timings_.take(runtime, micros)) {
    take_time(*timing, micros);
  }
  return true;
}

void Profiler::take_time(const Timing &timing, double micros) {
  if (!timing.wanted || state_ == State::Done) {
    return;
  }
  Position &position = cycle_[timing.position];
  if (micros < 0) {
    --position.timed[timing.size];  // once more
    return;
  }
  if (!timing.counts) {
    return;
  }
  auto &samples = position.samples[timing.size];
  samples.push_back(micros);
  missing_ -= samples.size() <= repeats() ? 1 : 0;
  if (missing_ == 0) {
    finish();
  }
}

void Profiler::begin_measuring() {
  timings_.forget();
  pass_ = 0;
  size_ = 0;
  missing_ = cycle_.size() * (sets_.size() + 1) * repeats();
}

// Of the next pass: sizes take turns as long as a kernel lacks launches at them.
std::optional<uint32_t> Profiler::next_size() const {
  const auto sizes = static_cast<uint32_t>(sets_.size() + 1);
  for (uint32_t turn = 0; turn < sizes; ++turn) {
    const uint32_t size = (pass_ + turn) % sizes;
    for (const Position &position : cycle_) {
      if (position.timed[size] < plan_->warm_up_requests + repeats()) {
        return size;
      }
    }
  }
  return std::nullopt;
}

void Profiler::end_of_pass() {
  position_ = 0;
  ++pass_;
  size_ = next_size();
  show_progress();
  const size_t patience = (plan_->warm_up_requests + 4 * repeats()) * (sets_.size() + 1);
  if (pass_ <= patience) {
    return;
  }
  // Where some launch is often not timed, so many requests are enough.
  const bool any_of_each = std::all_of(cycle_.begin(), cycle_.end(), [](const Position &position) {
    return std::none_of(position.samples.begin(), position.samples.end(),
                        [](const std::vector<double> &samples) { return samples.empty(); });
  });
  if (any_of_each) {
    finish();
  } else if (pass_ > 4 * patience) {
    fail("a kernel of the request could never be timed at one of the sizes");
  }
}

void Profiler::show_progress() {
  const size_t all = cycle_.size() * (sets_.size() + 1) * repeats();
  file_.progress(static_cast<uint32_t>(99 * (all - missing_) / all));
}

void Profiler::fail(const std::string &why) {
  state_ = State::Done;
  file_.finish(ProfileFile::Failed, why);
}

void Profiler::finish() {
  ProfileText profile;
  profile.name = stats_.client().executable;
  profile.product = plan_->product;
  profile.compute_units = plan_->compute_units;
  for (size_t set : sets_) {
    profile.sizes.push_back(plan_->sets[set].count());
  }
  profile.sizes.push_back(plan_->compute_units);
  std::vector<uint64_t> streams;
  std::unordered_map<NameId, uint32_t> symbols;
  for (const Position &position : cycle_) {
    const Item &item = items_[position.item];
    const auto stream = std::find(streams.begin(), streams.end(), item.stream_id);
    const auto number = static_cast<uint32_t>(stream - streams.begin());
    if (stream == streams.end()) {
      streams.push_back(item.stream_id);
      profile.streams.push_back(item.kind);
    }
    const auto [symbol, added] = symbols.emplace(item.key.name, static_cast<uint32_t>(profile.symbols.size()));
    if (added) {
      profile.symbols.push_back(kernels_.name(item.key.name));
    }
    ProfiledKernel kernel{symbol->second, item.key, number, {}};
    for (const auto &samples : position.samples) {
      kernel.micros.push_back(median(samples));
    }
    profile.kernels.push_back(std::move(kernel));
  }
  state_ = State::Done;
  file_.finish(ProfileFile::Complete, write_profile(profile));
}

}  // namespace eclip
