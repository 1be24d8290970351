#include "streams.h"

#include <cstdlib>

#include "entry.h"
#include "masks.h"

namespace eclip {

namespace {

using Lock = std::lock_guard<std::mutex>;

// The CUs that the environment leaves us: asking for others would make the runtime refuse the stream.
CuSet allowed_cus(const MaskUnits &units) {
  return intersection(clip_by_hsa_cu_mask(getenv("HSA_CU_MASK"), 0, units.compute_units),
                      clip_by_global_mask(getenv("ROC_GLOBAL_CU_MASK"), units));
}

void write_words(uint32_t *to, const CuSet &set) {
  for (size_t word = 0; word < ECLIP_MASK_WORDS; ++word) {
    put(to[word], word < set.words.size() ? set.words[word] : 0);
  }
}

void publish_proof(eclip_stream_proof &proof, const CuSet &asked, const CuSet &read_back, uint32_t state) {
  put(proof.state, 0);
  put(proof.compute_units, asked.count());
  write_words(proof.asked, asked);
  write_words(proof.read_back, read_back);
  put(proof.state, state);
}

// The first runtime with entries that take a stream and are not in hooks.def.
constexpr int first_unlisted_version = 50300000;

size_t touch_slot(hip::Stream handle) {
  const auto bits = reinterpret_cast<uintptr_t>(handle);
  return ((bits >> 4) ^ (bits >> 12)) % touch_slots;
}

enum ProofState : uint32_t { NotCreated, InForce, Refused, ReadBackDifferently };

}  // namespace

const Device &Streams::device(const Runtime &runtime) {
  if (!device_known_.load(std::memory_order_acquire)) {
    const Lock lock(mutex_);
    if (!device_known_.load(std::memory_order_relaxed)) {
      int reported = 0;
      runtime.hipGetDeviceCount(&device_.count);
      runtime.hipRuntimeGetVersion(&device_.hip_version);
      runtime.hipDeviceGetAttribute(&reported, hip::attribute_multiprocessor_count, 0);
      device_.reported_cus = reported > 0 ? static_cast<uint32_t>(reported) : 0;
      stats_.client().hip_version = device_.hip_version;
      put(stats_.client().compute_units, device_.reported_cus);
      put(stats_.client().hooks, runtime.found);
      null_ = add(nullptr, AppStream::Kind::Null, 0);
      device_known_.store(true, std::memory_order_release);
    }
  }
  return device_;
}

AppStream *Streams::find(StreamCache &cache, const Runtime &runtime, hip::Stream handle) {
  const uint64_t epoch = epoch_.load(std::memory_order_acquire);
  if (cache.epoch != epoch) {
    AppStream *mine = cache.per_thread;
    cache = StreamCache();
    cache.per_thread = mine;
    cache.epoch = epoch;
    cache.null = null_;
  }
  if (hip::is_null(handle)) {
    return cache.null;
  }
  if (hip::is_per_thread(handle)) {
    per_thread_used(runtime, cache);
    return cache.per_thread;
  }
  for (const StreamCache::Entry &entry : cache.entries) {
    if (entry.handle == handle) {
      return entry.stream;
    }
  }
  AppStream *stream = query(runtime, handle);
  if (stream) {
    cache.entries[cache.next++ % 4] = {handle, stream};
  }
  return stream;
}

// Streams that were made before we could see it are asked for what they are.
AppStream *Streams::query(const Runtime &runtime, hip::Stream handle) {
  {
    const Lock lock(mutex_);
    const auto known = streams_.find(handle);
    if (known != streams_.end()) {
      return known->second;
    }
  }
  uint32_t flags = 0;
  int priority = 0;
  if (runtime.hipStreamGetFlags(handle, &flags) != hip::success ||
      runtime.hipStreamGetPriority(handle, &priority) != hip::success) {
    runtime.hipGetLastError();
    return nullptr;
  }
  created(runtime, handle, !(flags & hip::stream_non_blocking), priority != 0, false);
  const Lock lock(mutex_);
  const auto known = streams_.find(handle);
  return known == streams_.end() ? nullptr : known->second;
}

AppStream *Streams::add(hip::Stream handle, AppStream::Kind kind, int device) {
  AppStream *stream = nullptr;
  if (spare_.empty()) {
    stream = new AppStream;
  } else {
    stream = spare_.back();
    spare_.pop_back();
  }
  stream->handle = handle;
  stream->kind = kind;
  stream->prioritised = stream->user_masked = false;
  stream->device = device;
  stream->id.store(next_id_.fetch_add(1), std::memory_order_release);
  return stream;
}

void Streams::created(const Runtime &runtime, hip::Stream handle, bool blocking, bool prioritised, bool user_masked) {
  device(runtime);
  int current = 0;
  if (device_.count > 1) {
    current = runtime.hipGetStreamDeviceId(handle);
  }
  {
    const Lock lock(mutex_);
    if (streams_.count(handle)) {
      return;
    }
    AppStream *stream = add(handle, blocking ? AppStream::Kind::Blocking : AppStream::Kind::NonBlocking, current);
    stream->prioritised = prioritised;
    stream->user_masked = user_masked;
    streams_[handle] = stream;
  }
  if (blocking) {
    // First the count, so that no kernel of the null stream is left to the runtime any more; then what already was.
    blocking_.fetch_add(1, std::memory_order_acq_rel);
    changed();
    settle_null(runtime, handle);
  }
}

// Kernels of the null stream that sit on a masked stream are not seen by other blocking streams, which look at the null
// stream only. A record on the null stream makes it wait for them, and so stand for them.
void Streams::settle_null(const Runtime &runtime, hip::Stream newcomer) {
  if (!null_) {
    return;
  }
  const Lock lock(null_->mutex);
  null_->ownership.revoke();
  MaskedStream *last = null_->order.unsettled();
  if (!last) {
    return;
  }
  if (!capture_in_progress()) {
    if (runtime.hipEventRecord(null_->fork_event, nullptr) == hip::success) {
      null_->order.settled();
      return;
    }
    runtime.hipGetLastError();
  }
  // During a capture the null stream is out of bounds: let the newcomer itself wait, and settle for the next one.
  if (runtime.hipEventRecord(last->event, last->handle) != hip::success ||
      runtime.hipStreamWaitEvent(newcomer, last->event, 0) != hip::success) {
    runtime.hipStreamSynchronize(last->handle);
    runtime.hipGetLastError();
  }
}

void Streams::destroyed(hip::Stream handle) {
  const Lock lock(mutex_);
  const auto known = streams_.find(handle);
  if (known == streams_.end()) {
    return;
  }
  AppStream *stream = known->second;
  streams_.erase(known);
  if (stream->kind == AppStream::Kind::Blocking) {
    blocking_.fetch_sub(1, std::memory_order_acq_rel);
  }
  if (capturing_.erase(handle)) {
    captures_.fetch_sub(1, std::memory_order_relaxed);
  }
  recycle(stream);
}

void Streams::recycle(AppStream *stream) {
  for (auto &masked : masked_) {
    if (masked->owner == stream) {
      masked->owner = nullptr;
    }
  }
  stream->id.store(0, std::memory_order_release);
  stream->order = Order<MaskedStream>();
  changed();
  stream->cached_generation = ~0ull;
  spare_.push_back(stream);
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  releases_.fetch_add(1, std::memory_order_acq_rel);
}

void Streams::thread_ends(StreamCache &cache) {
  capture_ends(hip::per_thread());
  if (cache.per_thread) {
    const Lock lock(mutex_);
    blocking_.fetch_sub(1, std::memory_order_acq_rel);
    per_thread_.erase(cache.per_thread);
    recycle(cache.per_thread);
    cache.per_thread = nullptr;
  }
}

// The runtime has destroyed every stream of the device, ours too; the handles may come back.
void Streams::device_reset() {
  const Lock lock(mutex_);
  for (auto &masked : masked_) {
    put(stats_.client().streams[masked->proof].state, NotCreated);
  }
  masked_.clear();
  for (auto &entry : streams_) {
    if (entry.second->kind == AppStream::Kind::Blocking) {
      blocking_.fetch_sub(1, std::memory_order_acq_rel);
    }
    recycle(entry.second);
  }
  streams_.clear();
  capturing_.clear();
  captures_.store(0, std::memory_order_relaxed);
  if (null_) {
    begin_anew(*null_);
    changed();
  }
  for (AppStream *stream : per_thread_) {
    begin_anew(*stream);
  }
  for (AppStream *stream : spare_) {
    stream->fork_event = nullptr;
  }
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  releases_.fetch_add(1, std::memory_order_acq_rel);
}

// A stream that goes on after a reset, with nothing on it.
void Streams::begin_anew(AppStream &stream) {
  stream.order = Order<MaskedStream>();
  stream.cached_generation = ~0ull;
  stream.fork_event = nullptr;
}

void Streams::per_thread_used(const Runtime &runtime, StreamCache &cache) {
  if (cache.per_thread) {
    return;
  }
  device(runtime);
  {
    const Lock lock(mutex_);
    cache.per_thread = add(hip::per_thread(), AppStream::Kind::PerThread, 0);
    per_thread_.insert(cache.per_thread);
  }
  blocking_.fetch_add(1, std::memory_order_acq_rel);
  changed();
  settle_null(runtime, hip::per_thread());
}

// Each thread's own under a name of its own.
hip::Stream Streams::capture_key(hip::Stream handle) {
  return hip::is_per_thread(handle) ? reinterpret_cast<hip::Stream>(&local) : handle;
}

bool Streams::capture_begins(hip::Stream handle) {
  const Lock lock(mutex_);
  const bool begins = capturing_.insert(capture_key(handle)).second;
  if (begins) {
    captures_.fetch_add(1, std::memory_order_relaxed);
    changed();
  }
  return begins;
}

void Streams::capture_ends(hip::Stream handle) {
  const Lock lock(mutex_);
  if (capturing_.erase(capture_key(handle))) {
    captures_.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool Streams::capturing(const Runtime &runtime, hip::Stream handle) const {
  if (!capture_in_progress() || !runtime.hipStreamIsCapturing) {
    return capture_in_progress();
  }
  int status = hip::capture_none;
  return runtime.hipStreamIsCapturing(handle, &status) != hip::success || status != hip::capture_none;
}

void Streams::touch(hip::Stream handle) { touches_[touch_slot(handle)].fetch_add(1, std::memory_order_relaxed); }

void Streams::touch_all() {
  for (auto &touches : touches_) {
    touches.fetch_add(1, std::memory_order_relaxed);
  }
}

uint64_t Streams::touches(const AppStream &stream) const {
  // A kernel of the null stream waits for all blocking streams, so what counts is not on the stream alone.
  if (stream.kind == AppStream::Kind::Null || device_.hip_version >= first_unlisted_version) {
    return never_twice_.fetch_add(1, std::memory_order_relaxed);
  }
  return touches_[touch_slot(stream.handle)].load(std::memory_order_relaxed);
}

MaskedStream *Streams::masked(const Runtime &runtime, AppStream &stream, const Plan &plan, size_t index,
                              eclip_reason &why, const AppStream *held) {
  const uint64_t releases = releases_.load(std::memory_order_acquire);
  if (stream.cached_generation != plan.generation || stream.cached_releases != releases) {
    stream.cached_generation = plan.generation;
    stream.cached_releases = releases;
    stream.by_set.assign(plan.sets.size(), nullptr);
    stream.without.assign(plan.sets.size(), ECLIP_PASS_WHOLE_GPU);
  }
  if (stream.by_set[index]) {
    return stream.by_set[index];
  }
  if (stream.without[index] != ECLIP_PASS_WHOLE_GPU) {
    why = stream.without[index];
    return nullptr;
  }
  if (!stream.fork_event) {
    if (capture_in_progress()) {
      why = ECLIP_PASS_CAPTURING;
      return nullptr;
    }
    if (runtime.hipEventCreateWithFlags(&stream.fork_event, hip::event_disable_timing) != hip::success) {
      runtime.hipGetLastError();
      stream.fork_event = nullptr;
      why = stream.without[index] = ECLIP_PASS_STREAM_FAILED;
      return nullptr;
    }
  }
  const Lock lock(mutex_);
  MaskedStream *masked = adopt(stream, plan.sets[index]);
  if (!masked) {
    masked = create(runtime, stream, plan, plan.sets[index], why, held);
    if (!masked && why != ECLIP_PASS_CAPTURING) {
      stream.without[index] = why;
    }
  }
  if (masked) {
    masked->generation = plan.generation;
    stream.by_set[index] = masked;
  }
  return masked;
}

// One that exists already: this stream's own from an earlier plan, or one whose application stream is gone.
MaskedStream *Streams::adopt(AppStream &stream, const CuSet &set) {
  MaskedStream *orphan = nullptr;
  for (auto &masked : masked_) {
    if (!(masked->set == set)) {
      continue;
    }
    if (masked->owner == &stream) {
      return masked.get();
    }
    if (!masked->owner) {
      orphan = masked.get();
    }
  }
  if (orphan) {
    orphan->owner = &stream;
  }
  return orphan;
}

MaskedStream *Streams::create(const Runtime &runtime, AppStream &stream, const Plan &plan, const CuSet &set,
                              eclip_reason &why, const AppStream *held) {
  if (capture_in_progress()) {
    why = ECLIP_PASS_CAPTURING;
    return nullptr;
  }
  if (masked_.size() >= options_.max_streams && !make_room(runtime, stream, held, plan.generation)) {
    why = ECLIP_PASS_BUDGET;
    return nullptr;
  }
  why = ECLIP_PASS_STREAM_FAILED;
  auto masked = std::make_unique<MaskedStream>();
  masked->set = set;
  masked->owner = &stream;
  bool taken[ECLIP_STREAMS] = {};
  for (const auto &other : masked_) {
    taken[other->proof] = true;
  }
  while (taken[masked->proof]) {
    ++masked->proof;
  }
  if (!open_stream(runtime, *masked, plan)) {
    runtime.hipGetLastError();
    return nullptr;
  }
  masked_.push_back(std::move(masked));
  return masked_.back().get();
}

// Creates it, reads its mask back, and keeps it only if that is what was asked for.
bool Streams::open_stream(const Runtime &runtime, MaskedStream &masked, const Plan &plan) {
  eclip_stream_proof &proof = stats_.client().streams[masked.proof];
  const MaskUnits units = mask_units(plan.compute_units, device_.reported_cus, device_.hip_version);
  const std::vector<uint32_t> words = hip_words(intersection(masked.set, allowed_cus(units)), units);
  const CuSet asked = from_hip_words(words, units);
  const auto count = static_cast<uint32_t>(words.size());
  if (asked.words.empty() ||
      runtime.hipExtStreamCreateWithCUMask(&masked.handle, count, words.data()) != hip::success) {
    publish_proof(proof, asked, CuSet(), Refused);
    return false;
  }
  std::vector<uint32_t> answer(count, 0);
  const bool answered = runtime.hipExtStreamGetCUMask(masked.handle, count, answer.data()) == hip::success;
  const CuSet read_back = answered ? from_hip_words(answer, units) : CuSet();
  const bool in_force = read_back == asked;
  publish_proof(proof, asked, read_back, in_force ? InForce : ReadBackDifferently);
  if (in_force && runtime.hipEventCreateWithFlags(&masked.event, hip::event_disable_timing) == hip::success) {
    return true;
  }
  runtime.hipStreamDestroy(masked.handle);
  return false;
}

// Retires one masked stream that the plan in force does not use, if one is idle.
bool Streams::make_room(const Runtime &runtime, const AppStream &stream, const AppStream *held, uint64_t generation) {
  for (size_t index = 0; index < masked_.size(); ++index) {
    MaskedStream &masked = *masked_[index];
    if (masked.owner && masked.generation >= generation) {
      continue;
    }
    AppStream *owner = masked.owner;
    const bool own_lock = owner && owner != &stream && owner != held;
    if (own_lock && !owner->mutex.try_lock()) {
      continue;
    }
    const bool retired = retire(runtime, masked);
    if (own_lock) {
      owner->mutex.unlock();
    }
    if (retired) {
      masked_.erase(masked_.begin() + static_cast<std::ptrdiff_t>(index));
      return true;
    }
  }
  return false;
}

bool Streams::retire(const Runtime &runtime, MaskedStream &masked) {
  if (runtime.hipStreamQuery(masked.handle) != hip::success) {
    return false;
  }
  if (masked.owner) {
    masked.owner->ownership.revoke();
    masked.owner->order.forget(&masked);
    masked.owner->cached_generation = ~0ull;
  }
  put(stats_.client().streams[masked.proof].state, NotCreated);
  runtime.hipStreamDestroy(masked.handle);
  runtime.hipEventDestroy(masked.event);
  return true;
}

}  // namespace eclip
