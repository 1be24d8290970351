// The recording runtime, libamdhip64.so as the interposer finds it: every entry goes to the model. And what a test needs
// besides: the entries' own addresses, to go past the interposer, and the model behind them.
#pragma once

#include "model.h"

#define ECLIP_ORDER_EXPORT __attribute__((visibility("default")))

namespace eclip::order {

// Every entry, whoever it leads to.
struct Hip {
#define CALL(ret, name, params) ret(*name) params;
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

// What the application is about, so that calls inside it that are not the application's own can be told.
enum class Kind {
  Idle,
  CreateStream,
  DestroyStream,
  CreateEvent,
  DestroyEvent,
  Launch,
  Work,
  Record,
  Wait,
  Synchronize,
  SynchronizeEvent,
  SynchronizeDevice,
  Query,
  QueryEvent,
  Copy,
  BeginCapture,
  EndCapture,
  Instantiate,
  LaunchGraph,
  Reset,
  Load,
  Unload,
  Other,
};

struct Now {
  Kind kind = Kind::Idle;
  int thread = 0;
  size_t op = 0;
  bool ready = false;  // what a query is to find
};

struct Setting {
  uint64_t seed = 0;
  int version = 50221153;
  uint32_t faults = 0;  // of 1000 calls of the interposer's own that fail
};

constexpr size_t kernel_count = 8;

ECLIP_ORDER_EXPORT void start(const Setting &setting);
ECLIP_ORDER_EXPORT Model &model();
ECLIP_ORDER_EXPORT void set_now(const Now &now);  // of the calling thread
ECLIP_ORDER_EXPORT const Hip &bare();
ECLIP_ORDER_EXPORT const void *kernel_pointer(size_t kernel);  // as hipLaunchKernel takes it

}  // namespace eclip::order
