#include "kernels.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "blits.h"
#include "code_object.h"

namespace emulator {
namespace {

constexpr double unknown_workgroups_per_cu = 8;
constexpr uint64_t kernel_code_bytes = 512; /* what is read of a shader without an ELF around it */
constexpr char runtime_prefix[] = "__amd_rocclr_";

void *translate(const eclip_dispatch *dispatch, uint64_t address) {
  return Dispatch::of(dispatch).memory->host(address);
}

uint32_t rounded_up(uint32_t items, uint32_t by) { return by == 0 ? items : (items + by - 1) / by; }

eclip_shape copy_shape(const eclip_dispatch &view, const Transfer &transfer) {
  const double workgroups = static_cast<double>(view.workgroups[0]) * view.workgroups[1] * view.workgroups[2];
  return {workgroups, unknown_workgroups_per_cu, 0, 2.0 * static_cast<double>(transfer.bytes)};
}

}  // namespace

const Dispatch &Dispatch::of(const eclip_dispatch *view) {
  static_assert(offsetof(Dispatch, view) == 0);
  return *reinterpret_cast<const Dispatch *>(view);
}

Kernels::Kernels(const Config &config, const Memory &memory, Trace &trace)
    : memory_(memory), trace_(trace), unknown_wave_micros_(config.unknown_wave_micros) {
  for (const std::string &path : config.kernel_libraries) open_library(path);
}

void Kernels::open_library(const std::string &path) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(std::string("kernel library: ") + dlerror());
  auto *list = reinterpret_cast<const eclip_kernel *(*)(size_t *)>(dlsym(handle, "eclip_kernels"));
  if (list == nullptr) throw std::runtime_error("kernel library: " + path + " exports no eclip_kernels");
  size_t count = 0;
  const eclip_kernel *kernels = list(&count);
  for (size_t i = 0; i < count; i++) library_[kernels[i].name] = &kernels[i];
}

Kernel Kernels::make(uint64_t kernel_object) {
  Kernel kernel;
  uint64_t size = 0;
  const uint64_t block = memory_.block(kernel_object, size);
  kernel.name = kernel_name(block, size, kernel_object);
  if (kernel.name.empty() && block != 0 && kernel_object + kernel_code_bytes <= block + size)
    if (const char *shader = shader_name(reinterpret_cast<const void *>(kernel_object))) kernel.name = shader;
  if (kernel.name.empty()) kernel.name = "?";
  const auto found = library_.find(kernel.name);
  kernel.known = found != library_.end() ? found->second : find_blit(kernel.name.c_str());
  kernel.blit = kernel.name.rfind(runtime_prefix, 0) == 0 || find_blit(kernel.name.c_str()) != nullptr;
  kernel.wait = is_wait(kernel.name.c_str());
  return kernel;
}

const Kernel &Kernels::resolve(uint64_t kernel_object) {
  std::lock_guard lock(mutex_);
  const Kernel *&cached = cache_[kernel_object];
  if (cached == nullptr) {
    Kernel kernel = make(kernel_object);
    kernel.number = static_cast<uint32_t>(kernels_.size());
    const auto [entry, added] = kernels_.emplace(kernel.name, kernel);
    cached = &entry->second;
    if (added) note_name(*cached);
  }
  return *cached;
}

void Kernels::note_name(const Kernel &kernel) {
  TraceRecord record{TraceKind::name, 0, 0, 0, kernel.number, 0, 0, 0, 0};
  trace_.write(record, kernel.name.c_str(), static_cast<uint32_t>(kernel.name.size() + 1));
}

void Kernels::forget(uint64_t base, uint64_t size) {
  std::lock_guard lock(mutex_);
  for (auto entry = cache_.begin(); entry != cache_.end();)
    entry = entry->first - base < size ? cache_.erase(entry) : std::next(entry);
}

Dispatch Kernels::dispatch_of(const hsa_kernel_dispatch_packet_t &packet) {
  Dispatch dispatch;
  dispatch.view.workgroups[0] = rounded_up(packet.grid_size_x, packet.workgroup_size_x);
  dispatch.view.workgroups[1] = std::max(1U, rounded_up(packet.grid_size_y, packet.workgroup_size_y));
  dispatch.view.workgroups[2] = std::max(1U, rounded_up(packet.grid_size_z, packet.workgroup_size_z));
  dispatch.view.block[0] = packet.workgroup_size_x;
  dispatch.view.block[1] = packet.workgroup_size_y;
  dispatch.view.block[2] = packet.workgroup_size_z;
  dispatch.view.group_bytes = packet.group_segment_size;
  dispatch.view.arguments = packet.kernarg_address;
  dispatch.view.host = translate;
  dispatch.kernel = &resolve(packet.kernel_object);
  dispatch.memory = &memory_;
  return dispatch;
}

bool Kernels::load_of(const Dispatch &dispatch, const eclip_chip &chip, double host_bytes_per_micro,
                      const eclip_cu_set &mask, eclip_load &load) const {
  const Kernel &kernel = *dispatch.kernel;
  const eclip_dispatch &view = dispatch.view;
  eclip_shape shape{static_cast<double>(view.workgroups[0]) * view.workgroups[1] * view.workgroups[2],
                    unknown_workgroups_per_cu, unknown_wave_micros_, 0};
  Transfer transfer;
  if (kernel.known != nullptr && kernel.known->shape != nullptr) {
    kernel.known->shape(&view, &shape);
  } else if (kernel.blit) {
    transfer = transfer_of(kernel.name.c_str(), view);
    shape = copy_shape(view, transfer);
  }
  if (!(shape.workgroups > 0) || (shape.wave_micros <= 0 && shape.bytes <= 0)) return false;
  eclip_load_of(&chip, &shape, &mask, &load);
  const bool over_link =
      transfer.bytes > 0 && (!memory_.on_gpu(transfer.source) || !memory_.on_gpu(transfer.destination));
  if (!over_link) return true;
  load.solo_micros = std::max(load.solo_micros, static_cast<double>(transfer.bytes) / host_bytes_per_micro);
  load.bytes_per_micro = static_cast<double>(transfer.bytes) / load.solo_micros;
  return true;
}

}  // namespace emulator
