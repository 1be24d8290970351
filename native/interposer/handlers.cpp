#include "handlers.h"

#include <cstring>
#include <string>

#include "launch.h"

namespace eclip {

namespace {

using hip::per_thread;

hip::Stream or_per_thread(hip::Stream stream) {
  return reinterpret_cast<uintptr_t>(stream) == 0 ? per_thread() : stream;
}

// Two ways to write the same launch, as functions of the stream.
template <class Plain, class Events>
class Ways final : public Issue {
 public:
  Ways(Plain plain, Events events) : plain_(plain), events_(events) {}
  hip::Error plain(hip::Stream stream) const override { return plain_(stream); }
  hip::Error with_events(hip::Stream stream, hip::Event start, hip::Event stop) const override {
    return events_(stream, start, stop);
  }

 private:
  Plain plain_;
  Events events_;
};

// The same count in work-items, as the hipExtModule calls take it. False where it does not fit: the runtime's own
// error is wanted then.
bool in_items(hip::Dim3 grid, hip::Dim3 block, hip::Dim3 &items) {
  const uint64_t x = uint64_t{grid.x} * block.x;
  const uint64_t y = uint64_t{grid.y} * block.y;
  const uint64_t z = uint64_t{grid.z} * block.z;
  items = {static_cast<uint32_t>(x), static_cast<uint32_t>(y), static_cast<uint32_t>(z)};
  return (x | y | z) <= UINT32_MAX;
}

// The stream among the arguments of an entry, as its name means it; null where there is none.
class StreamOf {
 public:
  explicit StreamOf(const char *name) : spt_(strlen(name) > 4 && strcmp(name + strlen(name) - 4, "_spt") == 0) {}

  template <class... Arguments>
  hip::Stream operator()(Arguments... arguments) const {
    hip::Stream stream = nullptr;
    (keep(stream, arguments), ...);
    return spt_ ? or_per_thread(stream) : stream;
  }

 private:
  static void keep(hip::Stream &stream, hip::Stream argument) { stream = argument; }
  template <class Other>
  static void keep(hip::Stream &, Other) {}

  const bool spt_;
};

uint32_t groups(uint32_t items, uint32_t block) {
  return block == 0 ? items : static_cast<uint32_t>((uint64_t{items} + block - 1) / block);
}

}  // namespace

// --- launches by host pointer

hip::Error Handlers::hipLaunchKernel(const void *function, Dim3 grid, Dim3 block, void **args, size_t shared,
                                     Stream stream) {
  const Ways issue([&](Stream on) { return runtime.hipLaunchKernel(function, grid, block, args, shared, on); },
                   [&](Stream on, Event start, Event stop) {
                     return runtime.hipExtLaunchKernel(function, grid, block, args, shared, on, start, stop, 0);
                   });
  return launch(entry, client, runtime, {function, true, grid, block, stream, nullptr, nullptr, true}, issue);
}

hip::Error Handlers::hipLaunchKernel_spt(const void *function, Dim3 grid, Dim3 block, void **args, size_t shared,
                                         Stream stream) {
  return hipLaunchKernel(function, grid, block, args, shared, or_per_thread(stream));
}

hip::Error Handlers::hipExtLaunchKernel(const void *function, Dim3 grid, Dim3 block, void **args, size_t shared,
                                        Stream stream, Event start, Event stop, int flags) {
  // Out-of-order execution is only kept where the application put the kernel.
  const Ways issue(
      [&](Stream on) {
        const int kept = on == stream ? flags : 0;
        return runtime.hipExtLaunchKernel(function, grid, block, args, shared, on, start, stop, kept);
      },
      [&](Stream on, Event first, Event last) {
        return runtime.hipExtLaunchKernel(function, grid, block, args, shared, on, first, last, 0);
      });
  return launch(entry, client, runtime, {function, true, grid, block, stream, start, stop, true}, issue);
}

hip::Error Handlers::hipLaunchKernelExC(const LaunchConfig *config, const void *function, void **args) {
  if (!config) {
    return runtime.hipLaunchKernelExC(config, function, args);
  }
  const LaunchConfig asked = *config;
  const Ways issue(
      [&](Stream on) {
        LaunchConfig moved = asked;
        moved.stream = on;
        return runtime.hipLaunchKernelExC(&moved, function, args);
      },
      [&](Stream on, Event start, Event stop) {
        return runtime.hipExtLaunchKernel(function, asked.grid, asked.block, args, asked.shared_bytes, on, start, stop,
                                          0);
      });
  return launch(entry, client, runtime,
                {function, true, asked.grid, asked.block, asked.stream, nullptr, nullptr, asked.attribute_count == 0},
                issue);
}

// --- launches by function handle

hip::Error Handlers::hipModuleLaunchKernel(Function function, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z,
                                           uint32_t block_x, uint32_t block_y, uint32_t block_z, uint32_t shared,
                                           Stream stream, void **args, void **extra) {
  const Dim3 grid{grid_x, grid_y, grid_z};
  const Dim3 block{block_x, block_y, block_z};
  Dim3 items{};
  const bool movable = in_items(grid, block, items) && runtime.ext_module_launch();
  const Ways issue(
      [&](Stream on) {
        return runtime.hipModuleLaunchKernel(function, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared, on,
                                             args, extra);
      },
      [&](Stream on, Event start, Event stop) {
        return runtime.ext_module_launch()(function, items.x, items.y, items.z, block_x, block_y, block_z, shared, on,
                                           args, extra, start, stop, 0);
      });
  return launch(entry, client, runtime, {function, false, grid, block, stream, nullptr, nullptr, movable}, issue);
}

hip::Error Handlers::hipDrvLaunchKernelEx(const DriverLaunchConfig *config, Function function, void **args,
                                          void **extra) {
  if (!config) {
    return runtime.hipDrvLaunchKernelEx(config, function, args, extra);
  }
  const DriverLaunchConfig asked = *config;
  const Dim3 grid{asked.grid_x, asked.grid_y, asked.grid_z};
  const Dim3 block{asked.block_x, asked.block_y, asked.block_z};
  Dim3 items{};
  const bool movable = asked.attribute_count == 0 && in_items(grid, block, items) && runtime.ext_module_launch();
  const Ways issue(
      [&](Stream on) {
        DriverLaunchConfig moved = asked;
        moved.stream = on;
        return runtime.hipDrvLaunchKernelEx(&moved, function, args, extra);
      },
      [&](Stream on, Event start, Event stop) {
        return runtime.ext_module_launch()(function, items.x, items.y, items.z, block.x, block.y, block.z,
                                           asked.shared_bytes, on, args, extra, start, stop, 0);
      });
  return launch(entry, client, runtime, {function, false, grid, block, asked.stream, nullptr, nullptr, movable}, issue);
}

hip::Error Handlers::work_items(Function function, Dim3 items, Dim3 block, Stream stream, Event start, Event stop,
                                const Issue &issue) {
  const Dim3 grid{groups(items.x, block.x), groups(items.y, block.y), groups(items.z, block.z)};
  return launch(entry, client, runtime, {function, false, grid, block, stream, start, stop, true}, issue);
}

#define ECLIP_EXT_MODULE_LAUNCH(name)                                                                                  \
  hip::Error Handlers::name(Function function, uint32_t items_x, uint32_t items_y, uint32_t items_z, uint32_t block_x, \
                            uint32_t block_y, uint32_t block_z, size_t shared, Stream stream, void **args,             \
                            void **extra, Event start, Event stop, uint32_t flags) {                                   \
    const auto run = [&](Stream on, Event first, Event last) {                                                         \
      return runtime.name(function, items_x, items_y, items_z, block_x, block_y, block_z, shared, on, args, extra,     \
                          first, last, on == stream ? flags : 0);                                                      \
    };                                                                                                                 \
    const Ways issue([&](Stream on) { return run(on, start, stop); }, run);                                            \
    return work_items(function, {items_x, items_y, items_z}, {block_x, block_y, block_z}, stream, start, stop, issue); \
  }
ECLIP_EXT_MODULE_LAUNCH(hipExtModuleLaunchKernel)
ECLIP_EXT_MODULE_LAUNCH(_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j)
#undef ECLIP_EXT_MODULE_LAUNCH

#define ECLIP_HCC_MODULE_LAUNCH(name)                                                                                  \
  hip::Error Handlers::name(Function function, uint32_t items_x, uint32_t items_y, uint32_t items_z, uint32_t block_x, \
                            uint32_t block_y, uint32_t block_z, size_t shared, Stream stream, void **args,             \
                            void **extra, Event start, Event stop) {                                                   \
    const auto run = [&](Stream on, Event first, Event last) {                                                         \
      return runtime.name(function, items_x, items_y, items_z, block_x, block_y, block_z, shared, on, args, extra,     \
                          first, last);                                                                                \
    };                                                                                                                 \
    const Ways issue([&](Stream on) { return run(on, start, stop); }, run);                                            \
    return work_items(function, {items_x, items_y, items_z}, {block_x, block_y, block_z}, stream, start, stop, issue); \
  }
ECLIP_HCC_MODULE_LAUNCH(hipHccModuleLaunchKernel)
ECLIP_HCC_MODULE_LAUNCH(_Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_)
#undef ECLIP_HCC_MODULE_LAUNCH

// --- launches that never move, and calls that only tell of a stream

#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args)
#define PASS(ret, name, params, args, reason) \
  ret Handlers::name params {                 \
    looked_at(StreamOf(#name) args);          \
    client.streams.touch_all();               \
    count_pass(client, runtime, reason);      \
    return runtime.name args;                 \
  }
#define OBSERVE(ret, name, params, args)
#define WATCH(ret, name, params, args, stream) \
  ret Handlers::name params {                  \
    watch(stream);                             \
    return runtime.name args;                  \
  }
#define SYNC(ret, name, params, args) \
  ret Handlers::name params { return waited(runtime.name args); }
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "hooks.def"
#include "undef_hooks.h"

void Handlers::watch(Stream stream) {
  client.thread().settle();
  client.streams.touch(stream);
  looked_at(stream);
}

void Handlers::looked_at(Stream stream) {
  if (hip::is_per_thread(stream)) {
    client.streams.per_thread_used(runtime, client.thread().streams);
  }
}

hip::Error Handlers::waited(Error result) {
  client.thread().waited = true;
  client.thread().settle();
  if (client.profiler.in_use() && result == hip::success) {
    client.profiler.host_waited(runtime);
  }
  return result;
}

hip::Error Handlers::hipStreamSynchronize(Stream stream) {
  looked_at(stream);
  return waited(runtime.hipStreamSynchronize(stream));
}

hip::Error Handlers::hipStreamSynchronize_spt(Stream stream) {
  looked_at(or_per_thread(stream));
  return waited(runtime.hipStreamSynchronize_spt(stream));
}

hip::Error Handlers::hipStreamQuery(Stream stream) {
  looked_at(stream);
  return waited(runtime.hipStreamQuery(stream));
}

hip::Error Handlers::hipStreamQuery_spt(Stream stream) {
  looked_at(or_per_thread(stream));
  return waited(runtime.hipStreamQuery_spt(stream));
}

// --- streams

hip::Error Handlers::created(Error error, Stream *stream, bool blocking, bool prioritised, bool user_masked) {
  if (error == hip::success && stream) {
    client.streams.created(runtime, *stream, blocking, prioritised, user_masked);
  }
  return error;
}

hip::Error Handlers::hipStreamCreate(Stream *stream) {
  return created(runtime.hipStreamCreate(stream), stream, true, false, false);
}

hip::Error Handlers::hipStreamCreateWithFlags(Stream *stream, uint32_t flags) {
  return created(runtime.hipStreamCreateWithFlags(stream, flags), stream, !(flags & hip::stream_non_blocking), false,
                 false);
}

hip::Error Handlers::hipStreamCreateWithPriority(Stream *stream, uint32_t flags, int priority) {
  return created(runtime.hipStreamCreateWithPriority(stream, flags, priority), stream,
                 !(flags & hip::stream_non_blocking), priority != 0, false);
}

hip::Error Handlers::hipExtStreamCreateWithCUMask(Stream *stream, uint32_t words, const uint32_t *mask) {
  return created(runtime.hipExtStreamCreateWithCUMask(stream, words, mask), stream, true, false, true);
}

hip::Error Handlers::hipStreamDestroy(Stream stream) {
  // Before the call: the handle may be another stream's the moment it returns. The per-thread stream lives on.
  if (!hip::is_null(stream) && !hip::is_per_thread(stream)) {
    client.streams.destroyed(stream);
  }
  return runtime.hipStreamDestroy(stream);
}

hip::Error Handlers::hipDeviceReset() {
  client.streams.device_reset();
  return runtime.hipDeviceReset();
}

hip::Error Handlers::hipDevicePrimaryCtxReset(int device) {
  client.streams.device_reset();
  return runtime.hipDevicePrimaryCtxReset(device);
}

void Handlers::functions_end() {
  client.kernels.forget_functions();
  client.streams.changed();
}

hip::Error Handlers::hipModuleUnload(Module module) {
  functions_end();
  return runtime.hipModuleUnload(module);
}

hip::Error Handlers::hipLibraryUnload(void *library) {
  functions_end();
  return runtime.hipLibraryUnload(library);
}

void Handlers::__hipUnregisterFatBinary(void **modules) {
  functions_end();
  runtime.__hipUnregisterFatBinary(modules);
}

// --- captures

namespace {

// Whether there is no capture after a call that was to end it. Others than these were not the one to end it.
bool has_ended(hip::Error error) {
  return error == hip::success || error == hip::error_capture_invalidated || error == hip::error_capture_unjoined;
}

}  // namespace

template <class Begin>
hip::Error Handlers::begin_capture(Stream stream, const Begin &begin) {
  looked_at(stream);  // before nothing may be put on it any more
  // Counted before it begins: no other thread may create a stream from here on.
  const bool first = client.streams.capture_begins(stream);
  const Error error = begin();
  if (error != hip::success && first) {
    client.streams.capture_ends(stream);
  }
  return error;
}

hip::Error Handlers::hipStreamBeginCapture(Stream stream, int mode) {
  return begin_capture(stream, [&] { return runtime.hipStreamBeginCapture(stream, mode); });
}

hip::Error Handlers::hipStreamBeginCapture_spt(Stream stream, int mode) {
  return begin_capture(or_per_thread(stream), [&] { return runtime.hipStreamBeginCapture_spt(stream, mode); });
}

hip::Error Handlers::hipStreamBeginCaptureToGraph(Stream stream, Graph graph, const void *nodes, const void *edges,
                                                  size_t count, int mode) {
  return begin_capture(stream,
                       [&] { return runtime.hipStreamBeginCaptureToGraph(stream, graph, nodes, edges, count, mode); });
}

hip::Error Handlers::end_capture(Stream stream, Error error) {
  if (has_ended(error)) {
    client.streams.capture_ends(stream);
  }
  return error;
}

hip::Error Handlers::hipStreamEndCapture(Stream stream, Graph *graph) {
  return end_capture(stream, runtime.hipStreamEndCapture(stream, graph));
}

hip::Error Handlers::hipStreamEndCapture_spt(Stream stream, Graph *graph) {
  return end_capture(or_per_thread(stream), runtime.hipStreamEndCapture_spt(stream, graph));
}

// --- addresses of launch functions

namespace {

void hand_out_wrapper(const char *symbol, void **address, bool per_thread_names) {
  if (!symbol || !address || !*address) {
    return;
  }
  void *wrapper = per_thread_names ? wrapper_of((std::string(symbol) + "_spt").c_str()) : nullptr;
  if (!wrapper) {
    wrapper = wrapper_of(symbol);
  }
  if (wrapper) {
    *address = wrapper;
  }
}

}  // namespace

hip::Error Handlers::hipGetProcAddress(const char *symbol, void **address, int version, uint64_t flags, void *status) {
  const Error error = runtime.hipGetProcAddress(symbol, address, version, flags, status);
  if (error == hip::success) {
    hand_out_wrapper(symbol, address, flags & hip::proc_per_thread);
  }
  return error;
}

hip::Error Handlers::hipGetDriverEntryPoint(const char *symbol, void **address, unsigned long long flags,
                                            void *status) {
  const Error error = runtime.hipGetDriverEntryPoint(symbol, address, flags, status);
  if (error == hip::success) {
    hand_out_wrapper(symbol, address, flags & hip::proc_per_thread);
  }
  return error;
}

hip::Error Handlers::hipGetDriverEntryPoint_spt(const char *symbol, void **address, unsigned long long flags,
                                                void *status) {
  const Error error = runtime.hipGetDriverEntryPoint_spt(symbol, address, flags, status);
  if (error == hip::success) {
    hand_out_wrapper(symbol, address, true);
  }
  return error;
}

// --- marked ranges

void Handlers::mark_begins(const char *message) {
  const std::string &wanted = client.options.request_range;
  Marks &marks = client.thread().marks;
  if (wanted.empty() || (message && strncmp(message, wanted.c_str(), wanted.size()) == 0)) {
    client.thread().run.leave();
    marks.began_ns = now_ns();
    marks.model = nullptr;
    ++marks.count;
  }
}

void Handlers::mark_ends() {
  Marks &marks = client.thread().marks;
  if (marks.began_ns != 0 && marks.model) {
    bump(marks.model->requests);
    count_request(*marks.model, now_ns() - marks.began_ns, true);
  }
  marks.began_ns = 0;
}

int Handlers::roctxRangePushA(const char *message) {
  Marks &marks = client.thread().marks;
  if (marks.depth++ == 0 && marks.open_range == 0) {
    mark_begins(message);
  }
  return runtime.roctxRangePushA(message);
}

int Handlers::roctxRangePop() {
  Marks &marks = client.thread().marks;
  if (marks.depth != 0 && --marks.depth == 0 && marks.open_range == 0) {
    mark_ends();
  }
  return runtime.roctxRangePop();
}

uint64_t Handlers::roctxRangeStartA(const char *message) {
  const uint64_t range = runtime.roctxRangeStartA(message);
  Marks &marks = client.thread().marks;
  if (marks.depth == 0 && marks.open_range == 0 && range != 0) {
    marks.open_range = range;
    mark_begins(message);
  }
  return range;
}

void Handlers::roctxRangeStop(uint64_t range) {
  Marks &marks = client.thread().marks;
  if (range != 0 && marks.open_range == range) {
    marks.open_range = 0;
    mark_ends();
  }
  runtime.roctxRangeStop(range);
}

}  // namespace eclip
