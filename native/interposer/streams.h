// The application's streams as we know them, and the masked streams that we made for them.
//
// Locks: an AppStream's own mutex is held from the first to the last packet of a launch, or the thread owns the stream
// and the launch changes nothing; the pool's mutex is taken inside it, never the other way round (retiring tries the
// owner's lock only).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "eclip/slot.h"
#include "options.h"
#include "order.h"
#include "ownership.h"
#include "plan.h"
#include "runtime.h"
#include "stats.h"

namespace eclip {

struct AppStream;

struct MaskedStream {
  hip::Stream handle = nullptr;
  hip::Event event = nullptr;  // of its last kernel that somebody may wait for
  CuSet set;                   // as the plan has it
  AppStream *owner = nullptr;  // null: its application stream is gone
  uint64_t generation = 0;     // of the last plan that used it
  uint32_t proof = 0;          // index in eclip_client.streams
};

// Never freed, only used again under another id: a thread may still hold a pointer to a stream that another destroyed.
struct AppStream {
  enum class Kind { Null, PerThread, Blocking, NonBlocking };

  std::mutex mutex;
  Ownership ownership;
  std::atomic<uint64_t> id{0};
  hip::Stream handle = nullptr;
  Kind kind = Kind::Null;
  bool prioritised = false;
  bool user_masked = false;
  int device = 0;
  Order<MaskedStream> order;
  hip::Event fork_event = nullptr;
  // For the plan of `cached_generation`: the masked stream of each of its sets, or why there is none.
  uint64_t cached_generation = ~0ull;
  uint64_t cached_releases = 0;
  std::vector<MaskedStream *> by_set;
  std::vector<eclip_reason> without;
};

struct Device {
  int count = 1;
  int hip_version = 0;
  uint32_t reported_cus = 0;
};

// What a thread remembers of its last streams.
struct StreamCache {
  struct Entry {
    hip::Stream handle = nullptr;
    AppStream *stream = nullptr;
  };
  uint64_t epoch = 0;
  Entry entries[4];
  uint32_t next = 0;
  AppStream *null = nullptr;
  AppStream *per_thread = nullptr;
};

constexpr size_t touch_slots = 256;

class Streams {
 public:
  Streams(const Options &options, Stats &stats) : options_(options), stats_(stats) {}

  const Device &device(const Runtime &runtime);

  // The stream behind a handle as passed to a launch; null if the runtime does not know it either.
  AppStream *find(StreamCache &cache, const Runtime &runtime, hip::Stream handle);
  void thread_ends(StreamCache &cache);

  // Books. `created` and `per_thread_used` keep the null stream's work ordered before the newcomer's.
  void created(const Runtime &runtime, hip::Stream handle, bool blocking, bool prioritised, bool user_masked);
  void destroyed(hip::Stream handle);
  void device_reset();
  void per_thread_used(const Runtime &runtime, StreamCache &cache);
  bool capture_begins(hip::Stream handle);  // false: it has begun already
  void capture_ends(hip::Stream handle);

  bool capture_in_progress() const { return captures_.load(std::memory_order_relaxed) != 0; }
  bool capturing(const Runtime &runtime, hip::Stream handle) const;
  bool several_devices() const { return device_.count > 1; }
  // How kernels of the null stream are ordered now.
  Joining null_joining() const {
    return blocking_.load(std::memory_order_acquire) != 0 ? Joining::Eager : Joining::ByRuntime;
  }

  // Calls of the application that may put work on a stream, counted before they do. While the count of a stream stands
  // still, nothing but our own packets has come to it. Several streams may share a count. Where
  // that is not enough to know, no count comes twice.
  void touch(hip::Stream handle);
  void touch_all();
  uint64_t touches(const AppStream &stream) const;

  // Changes with the application's streams and functions, before what was expected of them can be wrong.
  const std::atomic<uint64_t> &changes() const { return changes_; }
  void changed() { changes_.fetch_add(1, std::memory_order_acq_rel); }

  // The masked stream of set `index` for this application stream, whose mutex is held, as is that of `held`. Null: `why`
  // tells.
  MaskedStream *masked(const Runtime &runtime, AppStream &stream, const Plan &plan, size_t index, eclip_reason &why,
                       const AppStream *held = nullptr);

 private:
  AppStream *query(const Runtime &runtime, hip::Stream handle);
  AppStream *add(hip::Stream handle, AppStream::Kind kind, int device);
  void recycle(AppStream *stream);
  static void begin_anew(AppStream &stream);
  static hip::Stream capture_key(hip::Stream handle);
  void settle_null(const Runtime &runtime, hip::Stream newcomer);
  MaskedStream *adopt(AppStream &stream, const CuSet &set);
  MaskedStream *create(const Runtime &runtime, AppStream &stream, const Plan &plan, const CuSet &set, eclip_reason &why,
                       const AppStream *held);
  bool make_room(const Runtime &runtime, const AppStream &stream, const AppStream *held, uint64_t generation);
  bool retire(const Runtime &runtime, MaskedStream &masked);
  bool open_stream(const Runtime &runtime, MaskedStream &masked, const Plan &plan);

  const Options &options_;
  Stats &stats_;
  std::mutex mutex_;
  Device device_;
  std::atomic<bool> device_known_{false};
  std::unordered_map<hip::Stream, AppStream *> streams_;
  std::unordered_set<AppStream *> per_thread_;  // of the threads there are
  std::vector<AppStream *> spare_;
  std::vector<std::unique_ptr<MaskedStream>> masked_;
  std::unordered_set<hip::Stream> capturing_;
  AppStream *null_ = nullptr;
  std::atomic<uint64_t> changes_{0};
  std::atomic<uint64_t> epoch_{1};     // bumped when a handle dies
  std::atomic<uint64_t> releases_{0};  // bumped when a masked stream may have become free
  std::atomic<uint32_t> captures_{0};
  std::atomic<uint32_t> blocking_{0};  // application streams that look at the null stream, per-thread ones included
  std::atomic<uint64_t> next_id_{1};
  std::atomic<uint64_t> touches_[touch_slots] = {};
  mutable std::atomic<uint64_t> never_twice_{0};
};

}  // namespace eclip
