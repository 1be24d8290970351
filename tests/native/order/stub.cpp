#include "stub.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <type_traits>

namespace eclip::order {

namespace {

constexpr uint32_t compute_units = 60;
constexpr size_t most_threads_of_a_block = 1024;
constexpr size_t most_shared_bytes = 65536;

std::mutex mutex;
Setting setting;
Model *current = nullptr;
thread_local Now now;
char kernels[kernel_count];
char function_cells[64], module_cells[16];
std::map<const void *, std::string> functions;        // by handle
std::map<const void *, std::vector<char *>> modules;  // their functions' cells
std::vector<char *> free_functions, free_modules;

using Lock = std::lock_guard<std::mutex>;

Caller caller(Kind kind, bool ours = false) { return {now.thread, now.op, ours || kind != now.kind}; }

Error done(Error error) { return current->returns(now.thread, error); }

bool ours(Event event) {
  const EventState *state = current->event(event);
  return state && state->ours;
}

bool ours(Stream handle) {
  if (hip::is_null(handle) || hip::is_per_thread(handle)) {
    return false;
  }
  const StreamState *state = current->stream({now.thread, now.op, false}, handle);
  return state && state->ours;
}

// A call of the interposer's that is to fail: nothing happens. Not during a capture, where the host must not wait instead.
bool fails(const Caller &caller) {
  const bool fault =
      caller.internal && !current->captures() && setting.faults != 0 && current->coin(100 * setting.faults / 1000);
  if (fault) {
    current->outcome(caller).faulted = true;
  }
  return fault;
}

// Names with _spt mean the per-thread stream by 0, or by naming none.
template <class... Arguments>
Stream stream_of(const char *name, Arguments... arguments) {
  Stream stream = nullptr;
  (
      [&](auto argument) {
        if constexpr (std::is_same_v<decltype(argument), Stream>) {
          stream = argument;
        }
      }(arguments),
      ...);
  const size_t length = strlen(name);
  const bool per_thread_name = length > 4 && strcmp(name + length - 4, "_spt") == 0;
  return per_thread_name && !stream ? hip::per_thread() : stream;
}

// Entries that put something on a stream.
struct Works {
  const char *name;
  Kind kind;

  template <class... Arguments>
  Error operator()(Arguments... arguments) const {
    const Lock lock(mutex);
    return done(current->work(caller(kind), stream_of(name, arguments...), now.kind == kind));
  }
  Error operator()(Event event, Stream stream) const { return record(event, stream); }
  Error operator()(Event event, Stream stream, uint32_t) const { return record(event, stream); }
  Error operator()(Stream stream, Event event, uint32_t) const {
    const Lock lock(mutex);
    const Caller from = caller(Kind::Wait, ours(event));
    return done(fails(from) ? invalid_value : current->wait(from, stream_of(name, stream), event, !from.internal));
  }
  Error operator()(GraphExec exec, Stream stream) const {
    const Lock lock(mutex);
    return done(
        current->launch_graph(caller(Kind::LaunchGraph), reinterpret_cast<uintptr_t>(exec), stream_of(name, stream)));
  }

 private:
  Error record(Event event, Stream stream) const {
    const Lock lock(mutex);
    const Caller from = caller(Kind::Record, ours(event));
    return done(fails(from) ? invalid_value : current->record(from, event, stream_of(name, stream), !from.internal));
  }
};

Error launch(Stream stream, size_t threads, size_t shared, Event start = nullptr, Event stop = nullptr) {
  const Lock lock(mutex);
  if (threads > most_threads_of_a_block) {
    return done(invalid_configuration);
  }
  if (shared > most_shared_bytes) {
    return done(invalid_value);
  }
  const Caller from = caller(Kind::Launch);
  return done(current->work(from, stream, !from.internal, start, stop));
}

size_t product(Dim3 block) { return size_t{block.x} * block.y * block.z; }

Error create(Stream *stream, StreamState::Kind kind, int priority, std::vector<uint32_t> mask) {
  const Lock lock(mutex);
  const Caller from = caller(Kind::CreateStream);
  if (fails(from)) {
    return done(invalid_value);
  }
  *stream = current->create_stream(from, kind, priority, std::move(mask));
  return done(hip::success);
}

StreamState::Kind kind_of(uint32_t flags) {
  return flags & hip::stream_non_blocking ? StreamState::Kind::NonBlocking : StreamState::Kind::Blocking;
}

Error synchronize(Stream stream) {
  const Lock lock(mutex);
  return done(current->synchronize(caller(Kind::Synchronize, ours(stream)), stream));
}

Error query(Stream stream) {
  const Lock lock(mutex);
  return done(current->query(caller(Kind::Query, ours(stream)), stream, now.ready));
}

Error begin_capture(Stream stream, int mode) {
  const Lock lock(mutex);
  return done(current->begin_capture(caller(Kind::BeginCapture), stream, mode));
}

Error end_capture(Stream stream, Graph *graph) {
  const Lock lock(mutex);
  uint64_t number = 0;
  const Error error = current->end_capture(caller(Kind::EndCapture), stream, number);
  *graph = reinterpret_cast<Graph>(number);
  return done(error);
}

Error unload(const void *module) {
  const Lock lock(mutex);
  const auto found = modules.find(module);
  if (found == modules.end()) {
    return done(invalid_value);
  }
  for (char *cell : found->second) {
    functions.erase(cell);
    free_functions.push_back(cell);
  }
  modules.erase(found);
  free_modules.push_back(static_cast<char *>(const_cast<void *>(module)));
  return done(hip::success);
}

char *take(std::vector<char *> &free) {
  char *cell = free.empty() ? nullptr : free.back();
  if (cell) {
    free.pop_back();
  }
  return cell;
}

}  // namespace

void start(const Setting &asked) {
  const Lock lock(mutex);
  setting = asked;
  delete current;
  current = new Model(asked.seed, asked.version);
  functions.clear();
  modules.clear();
  free_functions.clear();
  free_modules.clear();
  for (char &cell : function_cells) {
    free_functions.push_back(&cell);
  }
  for (char &cell : module_cells) {
    free_modules.push_back(&cell);
  }
  for (size_t kernel = 0; kernel < kernel_count; ++kernel) {
    functions[&kernels[kernel]] = "k" + std::to_string(kernel);
  }
}

Model &model() { return *current; }
void set_now(const Now &next) { now = next; }
const void *kernel_pointer(size_t kernel) { return &kernels[kernel]; }

}  // namespace eclip::order

namespace eclip {

using namespace eclip::order;

#define ECLIP_ENTRY extern "C" ECLIP_ORDER_EXPORT

#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args)
#define OBSERVE(ret, name, params, args)
#define SYNC(ret, name, params, args)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#define PASS(ret, name, params, args, reason) \
  ECLIP_ENTRY ret name params { return Works{#name, Kind::Launch} args; }
#define WATCH(ret, name, params, args, stream) \
  ECLIP_ENTRY ret name params { return Works{#name, Kind::Work} args; }
#include "hooks.def"
#include "undef_hooks.h"

// --- launches

ECLIP_ENTRY Error hipLaunchKernel(const void *, Dim3, Dim3 block, void **, size_t shared, Stream stream) {
  return launch(stream, product(block), shared);
}
ECLIP_ENTRY Error hipLaunchKernel_spt(const void *, Dim3, Dim3 block, void **, size_t shared, Stream stream) {
  return launch(stream ? stream : hip::per_thread(), product(block), shared);
}
ECLIP_ENTRY Error hipExtLaunchKernel(const void *, Dim3, Dim3 block, void **, size_t shared, Stream stream, Event start,
                                     Event stop, int) {
  return launch(stream, product(block), shared, start, stop);
}
ECLIP_ENTRY Error hipLaunchKernelExC(const LaunchConfig *config, const void *, void **) {
  return launch(config->stream, product(config->block), config->shared_bytes);
}
ECLIP_ENTRY Error hipModuleLaunchKernel(Function, uint32_t, uint32_t, uint32_t, uint32_t x, uint32_t y, uint32_t z,
                                        uint32_t shared, Stream stream, void **, void **) {
  return launch(stream, product({x, y, z}), shared);
}
ECLIP_ENTRY Error hipDrvLaunchKernelEx(const DriverLaunchConfig *config, Function, void **, void **) {
  return launch(config->stream, product({config->block_x, config->block_y, config->block_z}), config->shared_bytes);
}
#define ECLIP_EXT_LAUNCH(name)                                                                                      \
  ECLIP_ENTRY Error name(Function, uint32_t, uint32_t, uint32_t, uint32_t x, uint32_t y, uint32_t z, size_t shared, \
                         Stream stream, void **, void **, Event start, Event stop, uint32_t) {                      \
    return launch(stream, product({x, y, z}), shared, start, stop);                                                 \
  }
ECLIP_EXT_LAUNCH(hipExtModuleLaunchKernel)
ECLIP_EXT_LAUNCH(_Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j)
#define ECLIP_HCC_LAUNCH(name)                                                                                      \
  ECLIP_ENTRY Error name(Function, uint32_t, uint32_t, uint32_t, uint32_t x, uint32_t y, uint32_t z, size_t shared, \
                         Stream stream, void **, void **, Event start, Event stop) {                                \
    return launch(stream, product({x, y, z}), shared, start, stop);                                                 \
  }
ECLIP_HCC_LAUNCH(hipHccModuleLaunchKernel)
ECLIP_HCC_LAUNCH(_Z24hipHccModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_)

// --- streams and events

ECLIP_ENTRY Error hipStreamCreate(Stream *stream) { return create(stream, StreamState::Kind::Blocking, 0, {}); }
ECLIP_ENTRY Error hipStreamCreateWithFlags(Stream *stream, uint32_t flags) {
  return create(stream, kind_of(flags), 0, {});
}
ECLIP_ENTRY Error hipStreamCreateWithPriority(Stream *stream, uint32_t flags, int priority) {
  return create(stream, kind_of(flags), priority, {});
}
ECLIP_ENTRY Error hipExtStreamCreateWithCUMask(Stream *stream, uint32_t words, const uint32_t *mask) {
  return create(stream, StreamState::Kind::Blocking, 0, {mask, mask + words});
}
ECLIP_ENTRY Error hipExtStreamGetCUMask(Stream handle, uint32_t words, uint32_t *mask) {
  const Lock lock(mutex);
  const StreamState *stream = current->stream({now.thread, now.op, false}, handle);
  for (uint32_t word = 0; word < words; ++word) {
    mask[word] = stream && word < stream->mask.size() ? stream->mask[word] : 0;
  }
  return done(stream ? hip::success : invalid_handle);
}
ECLIP_ENTRY Error hipStreamDestroy(Stream stream) {
  const Lock lock(mutex);
  return done(current->destroy_stream(caller(Kind::DestroyStream, ours(stream)), stream));
}
ECLIP_ENTRY Error hipStreamGetFlags(Stream handle, uint32_t *flags) {
  const Lock lock(mutex);
  const StreamState *stream = current->stream({now.thread, now.op, false}, handle);
  *flags = stream && stream->kind == StreamState::Kind::NonBlocking ? hip::stream_non_blocking : 0;
  return done(stream ? hip::success : invalid_handle);
}
ECLIP_ENTRY Error hipStreamGetPriority(Stream handle, int *priority) {
  const Lock lock(mutex);
  const StreamState *stream = current->stream({now.thread, now.op, false}, handle);
  *priority = stream ? stream->priority : 0;
  return done(stream ? hip::success : invalid_handle);
}
ECLIP_ENTRY Error hipEventCreateWithFlags(Event *event, uint32_t) {
  const Lock lock(mutex);
  const Caller from = caller(Kind::CreateEvent);
  if (fails(from)) {
    return done(invalid_value);
  }
  *event = current->create_event(from);
  return done(hip::success);
}
ECLIP_ENTRY Error hipEventDestroy(Event event) {
  const Lock lock(mutex);
  return done(current->destroy_event(event));
}
ECLIP_ENTRY Error hipEventElapsedTime(float *milliseconds, Event, Event) {
  const Lock lock(mutex);
  *milliseconds = 1;
  return done(hip::success);
}

// --- waits of the host

ECLIP_ENTRY Error hipStreamSynchronize(Stream stream) { return synchronize(stream); }
ECLIP_ENTRY Error hipStreamSynchronize_spt(Stream stream) { return synchronize(stream ? stream : hip::per_thread()); }
ECLIP_ENTRY Error hipStreamQuery(Stream stream) { return query(stream); }
ECLIP_ENTRY Error hipStreamQuery_spt(Stream stream) { return query(stream ? stream : hip::per_thread()); }
ECLIP_ENTRY Error hipDeviceSynchronize() {
  const Lock lock(mutex);
  return done(current->synchronize_device(caller(Kind::SynchronizeDevice)));
}
ECLIP_ENTRY Error hipFree(void *) {
  const Lock lock(mutex);
  return done(current->synchronize_device(caller(Kind::SynchronizeDevice)));
}
ECLIP_ENTRY Error hipEventSynchronize(Event event) {
  const Lock lock(mutex);
  return done(current->synchronize_event(caller(Kind::SynchronizeEvent, ours(event)), event));
}
ECLIP_ENTRY Error hipEventQuery(Event event) {
  const Lock lock(mutex);
  return done(current->query_event(caller(Kind::QueryEvent, ours(event)), event, now.ready));
}
ECLIP_ENTRY Error hipMemcpy(void *, const void *, size_t, int) {
  const Lock lock(mutex);
  return done(current->copy_and_wait(caller(Kind::Copy), nullptr));
}
ECLIP_ENTRY Error hipMemcpyDtoH(void *, void *, size_t) {
  const Lock lock(mutex);
  return done(current->copy_and_wait(caller(Kind::Copy), nullptr));
}
ECLIP_ENTRY Error hipMemset(void *, int, size_t) { return Works{"hipMemset", Kind::Work}(); }
ECLIP_ENTRY Error hipMemsetD2D8Async(void *, size_t, uint8_t, size_t, size_t, Stream stream) {
  return Works{"hipMemsetD2D8Async", Kind::Work}(stream);
}

// --- captures and graphs

ECLIP_ENTRY Error hipStreamBeginCapture(Stream stream, int mode) { return begin_capture(stream, mode); }
ECLIP_ENTRY Error hipStreamBeginCapture_spt(Stream stream, int mode) {
  return begin_capture(stream ? stream : hip::per_thread(), mode);
}
ECLIP_ENTRY Error hipStreamBeginCaptureToGraph(Stream stream, Graph, const void *, const void *, size_t, int mode) {
  return begin_capture(stream, mode);
}
ECLIP_ENTRY Error hipStreamEndCapture(Stream stream, Graph *graph) { return end_capture(stream, graph); }
ECLIP_ENTRY Error hipStreamEndCapture_spt(Stream stream, Graph *graph) {
  return end_capture(stream ? stream : hip::per_thread(), graph);
}
ECLIP_ENTRY Error hipStreamIsCapturing(Stream stream, int *status) {
  const Lock lock(mutex);
  bool active = false;
  const Error error = current->capturing({now.thread, now.op, true}, stream, active);
  *status = active ? 1 : hip::capture_none;
  return done(error);
}
ECLIP_ENTRY Error hipGraphInstantiate(GraphExec *exec, Graph graph, void *, char *, size_t) {
  const Lock lock(mutex);
  *exec = reinterpret_cast<GraphExec>(graph);
  return done(graph ? hip::success : invalid_value);
}

// --- the device and its functions

ECLIP_ENTRY Error hipDeviceReset() {
  const Lock lock(mutex);
  current->reset_device(caller(Kind::Reset));
  return done(hip::success);
}
ECLIP_ENTRY Error hipDevicePrimaryCtxReset(int) { return hipDeviceReset(); }
ECLIP_ENTRY Error hipModuleLoad(Module *module, const char *) {
  const Lock lock(mutex);
  char *cell = take(free_modules);
  *module = reinterpret_cast<Module>(cell);
  if (cell) {
    modules[cell] = {};
  }
  return done(cell ? hip::success : invalid_value);
}
ECLIP_ENTRY Error hipModuleGetFunction(Function *function, Module module, const char *name) {
  const Lock lock(mutex);
  const auto found = modules.find(module);
  char *cell = found == modules.end() ? nullptr : take(free_functions);
  *function = reinterpret_cast<Function>(cell);
  if (cell) {
    found->second.push_back(cell);
    functions[cell] = name;
  }
  return done(cell ? hip::success : invalid_value);
}
ECLIP_ENTRY Error hipModuleUnload(Module module) { return unload(module); }
ECLIP_ENTRY Error hipLibraryUnload(void *library) { return unload(library); }
ECLIP_ENTRY void __hipUnregisterFatBinary(void **) {}  // NOLINT(bugprone-reserved-identifier)
ECLIP_ENTRY const char *hipKernelNameRef(Function function) {
  const Lock lock(mutex);
  const auto found = functions.find(function);
  return found == functions.end() ? nullptr : found->second.c_str();
}
ECLIP_ENTRY const char *hipKernelNameRefByPtr(const void *pointer, Stream) {
  const Lock lock(mutex);
  const auto found = functions.find(pointer);
  return found == functions.end() ? nullptr : found->second.c_str();
}
ECLIP_ENTRY Error hipGetDevice(int *device) {
  const Lock lock(mutex);
  *device = 0;
  return done(hip::success);
}
ECLIP_ENTRY Error hipGetDeviceCount(int *count) {
  const Lock lock(mutex);
  *count = 1;
  return done(hip::success);
}
ECLIP_ENTRY Error hipGetStreamDeviceId(Stream) { return 0; }
ECLIP_ENTRY Error hipDeviceGetAttribute(int *value, int, int) {
  const Lock lock(mutex);
  *value = compute_units;
  return done(hip::success);
}
ECLIP_ENTRY Error hipRuntimeGetVersion(int *version) {
  const Lock lock(mutex);
  *version = setting.version;
  return done(hip::success);
}
ECLIP_ENTRY Error hipGetLastError() {
  const Lock lock(mutex);
  return current->last_error(now.thread);
}

// Addresses are only asked for where the loader itself is tested.
ECLIP_ENTRY Error hipGetProcAddress(const char *, void **address, int, uint64_t, void *) {
  *address = nullptr;
  return hip::error_not_supported;
}
ECLIP_ENTRY Error hipGetDriverEntryPoint(const char *, void **address, unsigned long long, void *) {
  *address = nullptr;
  return hip::error_not_supported;
}
ECLIP_ENTRY Error hipGetDriverEntryPoint_spt(const char *, void **address, unsigned long long, void *) {
  *address = nullptr;
  return hip::error_not_supported;
}

namespace order {

const Hip &bare() {
  static const Hip all = {
#define CALL(ret, name, params) &::eclip::name,
#define REDIRECT(ret, name, params, args) CALL(ret, name, params)
#define PASS(ret, name, params, args, reason) CALL(ret, name, params)
#define OBSERVE(ret, name, params, args) CALL(ret, name, params)
#define WATCH(ret, name, params, args, stream) CALL(ret, name, params)
#define SYNC(ret, name, params, args) CALL(ret, name, params)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "calls.def"
#include "extras.def"
#include "hooks.def"
#include "undef_hooks.h"
  };
  return all;
}

}  // namespace order

}  // namespace eclip
