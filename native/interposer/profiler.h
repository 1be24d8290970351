// Profile mode: finds the request in the launches of the program, then times each of its kernels at each size, one
// request at one size, and writes the profile into the slot. Kernels run one after the other while they are timed, by
// waits on the device; the host never waits. Every launch that can be timed is, however far the host runs ahead: so the
// requests that a profile takes are those of its warm-up and repeats, and the few that it takes to find the request.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "entry.h"
#include "kernels.h"
#include "period.h"
#include "profile_file.h"
#include "profile_text.h"
#include "streams.h"
#include "timings.h"

namespace eclip {

class Issue;
struct Launch;
struct Thread;
struct Track;

class Profiler {
 public:
  Profiler(std::string path, Kernels &kernels, Streams &streams, Stats &stats);

  // False before the first launch that was given to it.
  bool in_use() const { return in_use_.load(std::memory_order_relaxed); }

  hip::Error launch(const Runtime &runtime, Thread &thread, AppStream &stream, Track &track, const Launch &launch,
                    const Issue &issue, Kernels::Found kernel);

  // The host has waited for the device: times are there that no further launch may come to read.
  void host_waited(const Runtime &runtime);

 private:
  enum class State { Searching, Aligning, Measuring, Done };

  // What one kernel of the request is, and its times so far.
  struct Position {
    uint32_t item = 0;
    std::vector<uint32_t> timed;               // [size]: launches between events, warm-ups included
    std::vector<std::vector<double>> samples;  // [size], micros
  };

  // One launch as far as the profile is concerned.
  struct Item {
    KernelKey key;
    uint64_t stream_id;
    StreamKind kind;
    bool operator==(const Item &other) const { return key == other.key && stream_id == other.stream_id; }
  };
  struct ItemHash {
    size_t operator()(const Item &item) const { return KernelKeyHash()(item.key) ^ item.stream_id; }
  };

  uint32_t record(Thread &thread, const AppStream &stream, const KernelKey &key);
  void search();
  bool aligned() const;
  void lose_place();
  void begin(std::shared_ptr<const Plan> plan);
  hip::Error time(const Runtime &runtime, AppStream &stream, Track &track, const Launch &launch, const Issue &issue,
                  bool denied);
  bool fork(const Runtime &runtime, const MaskedStream *target, hip::Stream from);
  hip::Error run_on(const Runtime &runtime, const MaskedStream *target, const Launch &launch, const Issue &issue,
                    const EventPair &events);
  void begin_measuring();
  std::optional<uint32_t> next_size() const;
  uint32_t repeats() const { return std::max(plan_->repeats, 1u); }
  bool read_times(const Runtime &runtime);
  void take_time(const Timing &timing, double micros);
  void end_of_pass();
  void show_progress();
  void finish();
  void fail(const std::string &why);

  const std::string path_;
  Kernels &kernels_;
  Streams &streams_;
  Stats &stats_;
  ProfileFile file_;
  std::atomic<bool> in_use_{false};
  std::mutex mutex_;
  State state_ = State::Searching;
  const Thread *owner_ = nullptr;     // the thread whose requests are profiled: the first that launches anything
  std::shared_ptr<const Plan> plan_;  // the table that asks; every newer one begins anew
  std::vector<size_t> sets_;          // of the plan, by size; one more size is the whole GPU
  AppStream bench_;                   // stands for all application streams: kernels run one by one here
  hip::Event last_stop_ = nullptr;

  std::vector<Recorded> sequence_;
  std::vector<Item> items_;
  std::unordered_map<Item, uint32_t, ItemHash> item_index_;
  uint64_t last_launch_ns_ = 0;
  size_t next_search_ = 0;

  std::vector<Position> cycle_;
  size_t position_ = 0;
  size_t out_of_place_ = 0;
  uint32_t pass_ = 0;
  std::optional<uint32_t> size_;  // of this pass; none: no more is to be timed, only read
  size_t missing_ = 0;            // times still wanted
  Timings timings_;
};

}  // namespace eclip
