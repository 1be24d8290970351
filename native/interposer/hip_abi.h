// The part of HIP's binary interface that the interposer touches, stable from HIP 5.2 to 7.x. Our own declarations, so
// that the build needs no ROCm headers and one library serves every release. Values are those of hip_runtime_api.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eclip::hip {

using Error = int;
using Stream = struct OpaqueStream *;
using Event = struct OpaqueEvent *;
using Function = struct OpaqueFunction *;
using Module = struct OpaqueModule *;
using Graph = struct OpaqueGraph *;
using GraphExec = struct OpaqueGraphExec *;
using Callback = void (*)(Stream, Error, void *);
using HostFunction = void (*)(void *);

struct Dim3 {
  uint32_t x, y, z;
};

struct Extent {
  size_t width, height, depth;
};

struct PitchedPointer {
  void *pointer;
  size_t pitch, x_size, y_size;
};

// hipLaunchConfig_t and HIP_LAUNCH_CONFIG (HIP 7): same members, other order of the stream.
struct LaunchConfig {
  Dim3 grid, block;
  size_t shared_bytes;
  Stream stream;
  void *attributes;
  uint32_t attribute_count;
};

struct DriverLaunchConfig {
  uint32_t grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  Stream stream;
  void *attributes;
  uint32_t attribute_count;
};

constexpr Error success = 0;
constexpr Error error_not_initialized = 3;
constexpr Error error_not_ready = 600;
constexpr Error error_not_supported = 801;
constexpr Error error_capture_invalidated = 901;
constexpr Error error_capture_unjoined = 904;

constexpr uint32_t stream_non_blocking = 1;
constexpr uint32_t event_disable_timing = 2;
constexpr int attribute_multiprocessor_count = 63;
constexpr int capture_none = 0;
constexpr uint64_t proc_per_thread = 2;  // hipEnablePerThreadDefaultStream

// Handles that are numbers.
constexpr uintptr_t legacy_handle = 1;
constexpr uintptr_t per_thread_handle = 2;

inline bool is_null(Stream stream) { return reinterpret_cast<uintptr_t>(stream) <= legacy_handle; }
inline bool is_per_thread(Stream stream) { return reinterpret_cast<uintptr_t>(stream) == per_thread_handle; }
inline Stream per_thread() { return reinterpret_cast<Stream>(per_thread_handle); }

}  // namespace eclip::hip

namespace eclip {

// As hooks.def and calls.def name them.
using hip::Callback;
using hip::Dim3;
using hip::DriverLaunchConfig;
using hip::Error;
using hip::Event;
using hip::Extent;
using hip::Function;
using hip::Graph;
using hip::GraphExec;
using hip::HostFunction;
using hip::LaunchConfig;
using hip::Module;
using hip::PitchedPointer;
using hip::Stream;

}  // namespace eclip
