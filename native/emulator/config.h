/* What the emulator emulates: the JSON file named by ECLIP_EMULATOR, or a built-in MI50 with a chip of its own. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace emulator {

/* The time a process stands in the ioctl that sets a queue's CU mask: log-normal by its median and its worst case,
 * which is taken as the 99.9th percentile. */
struct MaskCall {
  double median_micros = 0;
  double worst_micros = 0;
};

struct Costs {
  double bytes_per_micro = 1024e3; /* MI50: 1.02 TB/s */
  double cu_bytes_per_micro = 64e3;
  double host_bytes_per_micro = 12e3; /* PCIe 3.0 x16, as the copies reach it */
  double launch_micros = 0;
  double barrier_micros = 0;
  double stream_micros = 0;
  uint32_t queue_slots = 24;
  double quantum_micros = 1000;
  double idle_watts = 0;
  double cu_watts = 0;
  double byte_microjoules = 0;
  MaskCall mask_call;
};

/* Active CUs, indexed [xcc][engine][array]. */
using Active = std::vector<std::vector<std::vector<uint32_t>>>;

struct GpuConfig {
  std::string product = "MI50";
  std::string marketing_name = "AMD Instinct MI50";
  std::string amd_name = "vega20";
  uint32_t gfx_major = 9, gfx_minor = 0, gfx_stepping = 6;
  uint32_t device_id = 0x66a1;
  uint32_t location_id = 0x0300;
  uint64_t unique_id = 0x0e11b50000000001;
  int32_t render_minor = 128;
  uint64_t vram_bytes = 16ULL << 30;
  Active active = {{{15}, {15}, {15}, {15}}};
  std::string chip_path; /* empty: a chip that no other process sees */
  Costs costs;

  uint32_t xccs() const { return static_cast<uint32_t>(active.size()); }
  uint32_t engines() const { return static_cast<uint32_t>(active.front().size()); }
  uint32_t arrays() const { return static_cast<uint32_t>(active.front().front().size()); }
  uint32_t compute_units() const;
  uint32_t most_cus_of_an_array() const;
};

struct Config {
  double time_scale = 1; /* one GPU microsecond takes this many of the wall clock */
  /* GPU time does not follow the wall clock. It stands while a program computes, but for 1 / time_scale of the CPU time
   * that it takes, and passes at once while all programs wait. One that sleeps until a moment of the wall clock lets it
   * pass by 1 / time_scale of what it sleeps. So results in GPU time do not depend on the host's load, and nothing
   * waits longer than the host needs (docs/adr/0009). HSA_TOOLS_LIB has to name this library: without it HIP waits in
   * loops, which cost what any computing costs. */
  bool virtual_time = false;
  std::string trace_folder;
  std::vector<std::string> kernel_libraries;
  double unknown_wave_micros = 5; /* a wave of workgroups of a kernel that no library knows; 0: no time at all */
  bool large_bar = true;
  bool runtime_enable = false;
  uint32_t gws = 0;
  std::vector<GpuConfig> gpus = {GpuConfig{}};
};

/* Throws std::runtime_error with one line that names the file, the field and what would be right. */
Config parse_config(const std::string &text, const std::string &source);
Config load_config(); /* by the environment */

}  // namespace emulator
