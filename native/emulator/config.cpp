#include "config.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "eclip/contention.h"

namespace emulator {
namespace {

using nlohmann::json;

constexpr uint32_t max_gpus = 8;

[[noreturn]] void refuse(const std::string &what) { throw std::runtime_error(what); }

template <typename T>
void read(const json &object, const char *key, T &into) {
  if (auto found = object.find(key); found != object.end() && !found->is_null()) {
    try {
      into = found->get<T>();
    } catch (const json::exception &error) {
      refuse(std::string(key) + ": " + error.what());
    }
  }
}

void read_rate(const json &object, const char *key, double &into, double least) {
  read(object, key, into);
  if (!(into >= least && into < 1e15)) refuse(std::string(key) + " is " + std::to_string(into) + ", out of range");
}

Costs costs_of(const json &object) {
  Costs costs;
  read_rate(object, "bytesPerMicro", costs.bytes_per_micro, 1);
  read_rate(object, "cuBytesPerMicro", costs.cu_bytes_per_micro, 1);
  read_rate(object, "hostBytesPerMicro", costs.host_bytes_per_micro, 1);
  read_rate(object, "launchMicros", costs.launch_micros, 0);
  read_rate(object, "barrierMicros", costs.barrier_micros, 0);
  read_rate(object, "streamMicros", costs.stream_micros, 0);
  read(object, "queueSlots", costs.queue_slots);
  if (costs.queue_slots == 0) refuse("queueSlots is 0, must be at least 1");
  read_rate(object, "quantumMicros", costs.quantum_micros, 1);
  read_rate(object, "idleWatts", costs.idle_watts, 0);
  read_rate(object, "cuWatts", costs.cu_watts, 0);
  read_rate(object, "byteMicrojoules", costs.byte_microjoules, 0);
  if (auto call = object.find("maskIoctl"); call != object.end()) {
    read_rate(*call, "medianMicros", costs.mask_call.median_micros, 0);
    read_rate(*call, "worstMicros", costs.mask_call.worst_micros, costs.mask_call.median_micros);
  }
  return costs;
}

void read_gfx(const json &object, GpuConfig &gpu) {
  std::string gfx;
  read(object, "gfx", gfx);
  if (gfx.empty()) return;
  const bool well_formed =
      gfx.size() >= 6 && gfx.rfind("gfx", 0) == 0 && gfx.find_first_not_of("0123456789abcdef", 3) == std::string::npos;
  if (!well_formed) refuse("gfx is " + gfx + ", should be like gfx906");
  const auto digit = [&](size_t from_end) {
    return static_cast<uint32_t>(std::stoul(gfx.substr(gfx.size() - from_end, 1), nullptr, 16));
  };
  gpu.gfx_major = static_cast<uint32_t>(std::stoul(gfx.substr(3, gfx.size() - 5)));
  gpu.gfx_minor = digit(2);
  gpu.gfx_stepping = digit(1);
}

void check_shape(const GpuConfig &gpu) {
  if (gpu.active.empty()) refuse("active is empty, should list CUs as [xcc][engine][array]");
  for (const auto &xcc : gpu.active) {
    if (xcc.empty() || xcc.size() != gpu.active.front().size()) refuse("active: every XCC needs as many engines");
    for (const auto &engine : xcc)
      if (engine.empty() || engine.size() != gpu.arrays()) refuse("active: every engine needs as many arrays");
  }
  const uint32_t cus = gpu.compute_units();
  if (cus == 0 || cus > ECLIP_MAX_CUS) refuse("active: " + std::to_string(cus) + " CUs, should be 1 to 1024");
}

GpuConfig gpu_of(const json &object, size_t index) {
  GpuConfig gpu;
  gpu.location_id = static_cast<uint32_t>(0x0300 * (index + 1));
  gpu.unique_id += index;
  gpu.render_minor += static_cast<int32_t>(index);
  read(object, "product", gpu.product);
  gpu.marketing_name = gpu.product;
  read(object, "marketingName", gpu.marketing_name);
  read(object, "amdName", gpu.amd_name);
  read_gfx(object, gpu);
  read(object, "deviceId", gpu.device_id);
  read(object, "locationId", gpu.location_id);
  read(object, "uniqueId", gpu.unique_id);
  read(object, "renderMinor", gpu.render_minor);
  read(object, "vramBytes", gpu.vram_bytes);
  read(object, "active", gpu.active);
  read(object, "chip", gpu.chip_path);
  check_shape(gpu);
  if (auto costs = object.find("costs"); costs != object.end()) gpu.costs = costs_of(*costs);
  return gpu;
}

Config config_of(const json &object) {
  Config config;
  read_rate(object, "timeScale", config.time_scale, 0.001);
  read(object, "virtualTime", config.virtual_time);
  read(object, "trace", config.trace_folder);
  read(object, "kernels", config.kernel_libraries);
  read_rate(object, "unknownWaveMicros", config.unknown_wave_micros, 0);
  read(object, "largeBar", config.large_bar);
  read(object, "runtimeEnable", config.runtime_enable);
  read(object, "gws", config.gws);
  if (auto gpus = object.find("gpus"); gpus != object.end()) {
    config.gpus.clear();
    for (const json &gpu : *gpus) config.gpus.push_back(gpu_of(gpu, config.gpus.size()));
  }
  if (config.gpus.empty() || config.gpus.size() > max_gpus) refuse("gpus: should be 1 to 8");
  return config;
}

}  // namespace

uint32_t GpuConfig::compute_units() const {
  uint32_t sum = 0;
  for (const auto &xcc : active)
    for (const auto &engine : xcc)
      for (uint32_t cus : engine) sum += cus;
  return sum;
}

uint32_t GpuConfig::most_cus_of_an_array() const {
  uint32_t most = 0;
  for (const auto &xcc : active)
    for (const auto &engine : xcc) most = std::max(most, *std::max_element(engine.begin(), engine.end()));
  return most;
}

Config parse_config(const std::string &text, const std::string &source) {
  try {
    return config_of(json::parse(text));
  } catch (const std::exception &error) {
    throw std::runtime_error(source + ": " + error.what());
  }
}

Config load_config() {
  const char *path = std::getenv("ECLIP_EMULATOR");
  if (path == nullptr || *path == '\0') return Config{};
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string("ECLIP_EMULATOR: cannot read ") + path);
  std::stringstream text;
  text << file.rdbuf();
  return parse_config(text.str(), path);
}

}  // namespace emulator
