// Variants that differ in the streams that a request's kernels go to.
#include <array>

#include "issuers.h"

namespace workloads {

namespace {

class OneStream : public Issuer {
 public:
  explicit OneStream(Lane &lane) : Issuer(lane) { check(hipStreamCreate(&stream_), "hipStreamCreate"); }
  ~OneStream() override { check(hipStreamDestroy(stream_), "hipStreamDestroy"); }

 protected:
  hipStream_t stream(size_t) const override { return stream_; }

 private:
  hipStream_t stream_ = nullptr;
};

class ThreadStream : public Issuer {
 public:
  using Issuer::Issuer;

 protected:
  hipStream_t stream(size_t) const override { return hipStreamPerThread; }
};

// Chunks of kernels on three streams by turns; an event makes each chunk wait for the one before.
class Relay : public Issuer {
 public:
  static constexpr size_t kNone = ~size_t{0};

  Relay(Lane &lane, unsigned flags, size_t missing) : Issuer(lane), missing_(missing) {
    for (hipStream_t &stream : streams_) check(hipStreamCreateWithFlags(&stream, flags), "hipStreamCreateWithFlags");
    check(hipEventCreateWithFlags(&event_, hipEventDisableTiming), "hipEventCreateWithFlags");
  }
  ~Relay() override {
    check(hipDeviceSynchronize(), "hipDeviceSynchronize");
    for (hipStream_t stream : streams_) check(hipStreamDestroy(stream), "hipStreamDestroy");
    check(hipEventDestroy(event_), "hipEventDestroy");
  }

 protected:
  hipStream_t stream(size_t i) const override { return streams_[i / kChunk % streams_.size()]; }

  void before(size_t i) override {
    if (i == 0 || i % kChunk != 0 || i == missing_) return;
    check(hipEventRecord(event_, stream(i - 1)), "hipEventRecord");
    check(hipStreamWaitEvent(stream(i), event_, 0), "hipStreamWaitEvent");
  }

 private:
  std::array<hipStream_t, 3> streams_{};
  hipEvent_t event_ = nullptr;
  size_t missing_;
};

// Odd chunks on the null stream, even ones on two blocking streams by turns: the null stream waits for all blocking
// streams and they for it, so that no event is needed.
class AroundNull : public Issuer {
 public:
  explicit AroundNull(Lane &lane) : Issuer(lane) {
    for (hipStream_t &stream : streams_) check(hipStreamCreate(&stream), "hipStreamCreate");
  }
  ~AroundNull() override {
    for (hipStream_t stream : streams_) check(hipStreamDestroy(stream), "hipStreamDestroy");
  }

 protected:
  hipStream_t stream(size_t i) const override {
    const size_t chunk = i / kChunk;
    return chunk % 2 ? nullptr : streams_[chunk / 2 % 2];
  }

 private:
  std::array<hipStream_t, 2> streams_{};
};

}  // namespace

std::unique_ptr<Issuer> on_one_stream(Lane &lane) { return std::make_unique<OneStream>(lane); }
std::unique_ptr<Issuer> on_thread_stream(Lane &lane) { return std::make_unique<ThreadStream>(lane); }
std::unique_ptr<Issuer> on_blocking_streams(Lane &lane) {
  return std::make_unique<Relay>(lane, hipStreamDefault, Relay::kNone);
}
std::unique_ptr<Issuer> on_non_blocking_streams(Lane &lane) {
  return std::make_unique<Relay>(lane, hipStreamNonBlocking, Relay::kNone);
}
std::unique_ptr<Issuer> around_null_stream(Lane &lane) { return std::make_unique<AroundNull>(lane); }
std::unique_ptr<Issuer> with_missing_wait(Lane &lane) {
  const size_t last_chunk = (lane.count() - 1) / kChunk * kChunk;
  return std::make_unique<Relay>(lane, hipStreamNonBlocking, last_chunk);
}

}  // namespace workloads
