#include "emulator.h"

#include <cstdio>
#include <exception>
#include <utility>

namespace emulator {
namespace {

std::vector<std::unique_ptr<Device>> make_devices(const Config &config, Kernels &kernels, Events &events, Waits &waits,
                                                  Trace &trace) {
  std::vector<std::unique_ptr<Device>> devices;
  devices.reserve(config.gpus.size());
  for (size_t i = 0; i < config.gpus.size(); i++)
    devices.push_back(std::make_unique<Device>(config, static_cast<uint16_t>(i), kernels, events, waits, trace));
  return devices;
}

std::vector<Device *> pointers(const std::vector<std::unique_ptr<Device>> &devices) {
  std::vector<Device *> list;
  list.reserve(devices.size());
  for (const auto &device : devices) list.push_back(device.get());
  return list;
}

Emulator *make() {
  try {
    return new Emulator(load_config());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "eclip emulator: %s\n", error.what());
    return nullptr;
  }
}

}  // namespace

Emulator::Emulator(Config configuration)
    : config(std::move(configuration)),
      trace(config.trace_folder, config.time_scale),
      kernels(config, memory, trace),
      devices(make_devices(config, kernels, events, waits, trace)),
      scheduler(pointers(devices)) {}

Device *Emulator::device_of(uint32_t node) {
  return node >= 1 && node <= devices.size() ? devices[node - 1].get() : nullptr;
}

Emulator *instance() {
  static Emulator *const emulator = make();
  return emulator;
}

}  // namespace emulator
