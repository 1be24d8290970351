#include "variants.h"

#include "issuers.h"
#include "kernels.h"

namespace workloads {

void Issuer::run() {
  const size_t last = lane_.count() - 1;
  lane_.copy_in(stream(0));
  for (size_t i = 0; i <= last; ++i) {
    before(i);
    launch(i);
  }
  lane_.copy_out(stream(last));
  check(hipStreamSynchronize(stream(last)), "hipStreamSynchronize");
}

void Issuer::launch(size_t i) {
  const Launch &launch = lane_.launch(i);
  const FunctionTraits &t = traits(launch.function);
  void *arguments[] = {&lane_.arguments(i)};
  check(hipLaunchKernel(t.host, dim3(launch.grid[0], launch.grid[1], launch.grid[2]), dim3(t.block), arguments, 0,
                        stream(i)),
        t.name);
}

namespace {

struct Variant {
  const char *name;
  unsigned threads;
  std::unique_ptr<Issuer> (*make)(Lane &);
};

std::unique_ptr<Issuer> on_null_stream(Lane &lane) { return std::make_unique<Issuer>(lane); }

const Variant variants[] = {
    {"default", 1, on_null_stream},        // everything on the null stream
    {"stream", 1, on_one_stream},          // everything on one blocking stream
    {"blocking", 1, on_blocking_streams},  // three blocking streams, ordered by events
    {"non-blocking", 1, on_non_blocking_streams},
    {"legacy", 1, around_null_stream},    // blocking streams and the null stream by turns, ordered by its rules alone
    {"threads", 3, on_one_stream},        // three host threads, each with its stream and buffers
    {"per-thread", 3, on_thread_stream},  // the same on hipStreamPerThread
    {"hand-over", 1, by_two_threads},     // two host threads launch on one stream by turns
    {"copies", 1, with_copies},           // data goes to the host and back between kernels
    {"callbacks", 1, with_callbacks},     // the same, and the host moves it in a stream callback
    {"events", 1, with_events},           // timing events, queries, host waits in mid-request
    {"ext", 1, by_ext_launch},            // hipExtLaunchKernel with start and stop events
    {"module", 1, by_module_launch},      // hipModuleLaunchKernel from a code object file
    {"graph", 1, by_graph},               // captured once, launched per request
    {"unordered", 1, with_missing_wait},  // WRONG on purpose: non-blocking with one wait left out
};

const Variant *find(const std::string &name) {
  for (const Variant &variant : variants)
    if (name == variant.name) return &variant;
  return nullptr;
}

}  // namespace

bool known_variant(const std::string &name) { return find(name) != nullptr; }

std::string variant_names() {
  std::string names;
  for (const Variant &variant : variants) names += (names.empty() ? "" : ", ") + std::string(variant.name);
  return names;
}

unsigned variant_threads(const std::string &name) { return find(name)->threads; }

std::unique_ptr<Issuer> make_issuer(const std::string &variant, Lane &lane) { return find(variant)->make(lane); }

}  // namespace workloads
