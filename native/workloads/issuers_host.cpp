// Variants in which the host takes part in the middle of a request.
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "issuers.h"

namespace workloads {

namespace {

constexpr size_t kBounceBytes = Lane::kBounceWords * sizeof(uint32_t);

uint32_t *bounce_buffer() {
  void *memory = nullptr;
  check(hipHostMalloc(&memory, kBounceBytes, hipHostMallocDefault), "hipHostMalloc");
  std::memset(memory, 0, kBounceBytes);
  return static_cast<uint32_t *>(memory);
}

// Every second chunk, all data goes to the host, is wiped on the device, and comes back. In order it changes nothing.
class Bounce : public Issuer {
 public:
  Bounce(Lane &lane, bool by_host) : Issuer(lane), by_host_(by_host), there_(bounce_buffer()), back_(bounce_buffer()) {
    check(hipStreamCreate(&stream_), "hipStreamCreate");
  }
  ~Bounce() override {
    check(hipStreamDestroy(stream_), "hipStreamDestroy");
    check(hipHostFree(there_), "hipHostFree");
    check(hipHostFree(back_), "hipHostFree");
  }

 protected:
  hipStream_t stream(size_t) const override { return stream_; }

  void before(size_t i) override {
    if (i % (2 * kChunk) != kChunk) return;
    check(hipMemcpyAsync(there_, lane_.device(), kBounceBytes, hipMemcpyDeviceToHost, stream_), "hipMemcpyAsync");
    check(hipMemsetAsync(lane_.device(), 0xee, kBounceBytes, stream_), "hipMemsetAsync");
    if (by_host_) check(hipStreamAddCallback(stream_, carry, this, 0), "hipStreamAddCallback");
    uint32_t *source = by_host_ ? back_ : there_;
    check(hipMemcpyAsync(lane_.device(), source, kBounceBytes, hipMemcpyHostToDevice, stream_), "hipMemcpyAsync");
  }

 private:
  static void carry(hipStream_t, hipError_t, void *self) {
    auto *bounce = static_cast<Bounce *>(self);
    std::memcpy(bounce->back_, bounce->there_, kBounceBytes);
    std::memset(bounce->there_, 0, kBounceBytes);
  }

  bool by_host_;
  uint32_t *there_;
  uint32_t *back_;
  hipStream_t stream_ = nullptr;
};

// A timing event at every chunk; the host asks for some, waits for one, and reads the times in the end.
class Timed : public Issuer {
 public:
  explicit Timed(Lane &lane) : Issuer(lane), events_(lane.count() / kChunk + 1) {
    for (hipEvent_t &event : events_) check(hipEventCreate(&event), "hipEventCreate");
  }
  ~Timed() override {
    for (hipEvent_t event : events_) check(hipEventDestroy(event), "hipEventDestroy");
  }

  void run() override {
    Issuer::run();
    for (size_t i = 1; i < events_.size(); ++i) {
      float millis = -1;
      check(hipEventElapsedTime(&millis, events_[i - 1], events_[i]), "hipEventElapsedTime");
      if (millis < 0) check(hipErrorUnknown, "hipEventElapsedTime: negative time between kernels");
    }
  }

 protected:
  void before(size_t i) override {
    if (i % kChunk != 0) return;
    const size_t chunk = i / kChunk;
    check(hipEventRecord(events_[chunk], stream(i)), "hipEventRecord");
    const hipError_t done = hipEventQuery(events_[chunk]);
    if (done != hipErrorNotReady) check(done, "hipEventQuery");
    if (chunk == events_.size() / 2) check(hipEventSynchronize(events_[chunk]), "hipEventSynchronize");
  }

 private:
  std::vector<hipEvent_t> events_;
};

// The serving thread launches even chunks, a second one odd chunks, on the same stream.
class HandOver : public Issuer {
 public:
  explicit HandOver(Lane &lane) : Issuer(lane), mate_([this] { serve(); }) {}
  ~HandOver() override {
    set_turn(kStop);
    mate_.join();
  }

 protected:
  void launch(size_t i) override {
    if (i / kChunk % 2 == 0) return Issuer::launch(i);
    set_turn(i);
    await(kMine);
  }

 private:
  static constexpr size_t kMine = ~size_t{0};
  static constexpr size_t kStop = kMine - 1;

  void set_turn(size_t turn) {
    const std::lock_guard<std::mutex> guard(mutex_);
    turn_ = turn;
    changed_.notify_all();
  }
  void await(size_t turn) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return turn_ == turn; });
  }
  void serve() {
    for (;;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [&] { return turn_ != kMine; });
      const size_t turn = turn_;
      lock.unlock();
      if (turn == kStop) return;
      Issuer::launch(turn);
      set_turn(kMine);
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t turn_ = kMine;
  std::thread mate_;
};

}  // namespace

std::unique_ptr<Issuer> with_copies(Lane &lane) { return std::make_unique<Bounce>(lane, false); }
std::unique_ptr<Issuer> with_callbacks(Lane &lane) { return std::make_unique<Bounce>(lane, true); }
std::unique_ptr<Issuer> with_events(Lane &lane) { return std::make_unique<Timed>(lane); }
std::unique_ptr<Issuer> by_two_threads(Lane &lane) { return std::make_unique<HandOver>(lane); }

}  // namespace workloads
