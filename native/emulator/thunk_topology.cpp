#include <hsakmt.h>

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "emulator.h"

using emulator::instance;

namespace {

constexpr HSAuint32 simds_per_cu = 4;
constexpr HSAuint64 lds_bytes = 64 << 10;
/* ROCr takes an LDS aperture whose upper half is zero for none. */
constexpr HSAuint64 lds_aperture = 0x1000000000000, scratch_aperture = 0x2000000000000;

struct Cache {
  HSAuint32 level, kilobytes;
};
constexpr Cache gpu_caches[] = {{1, 16}, {2, 4096}};
constexpr Cache cpu_caches[] = {{1, 32}, {2, 1024}, {3, 32768}};

void fill_cpu(HsaNodeProperties &node) {
  const emulator::Emulator &all = *instance();
  node.NumCPUCores = static_cast<HSAuint32>(sysconf(_SC_NPROCESSORS_ONLN));
  node.NumMemoryBanks = 1;
  node.NumCaches = std::size(cpu_caches);
  node.NumIOLinks = all.config.large_bar ? static_cast<HSAuint32>(all.devices.size()) : 0;
  node.MaxEngineClockMhzCCompute = 3000;
  const char name[] = "Host";
  std::copy(std::begin(name), std::end(name), node.MarketingName);
  std::memcpy(node.AMDName, name, sizeof name);
}

void fill_capability(HSA_CAPABILITY &capability) {
  capability.ui32.DoorbellType = 2;
  capability.ui32.QueueSizePowerOfTwo = 1;
  capability.ui32.SRAM_EDCSupport = 1;
  capability.ui32.WatchPointsSupported = 1;
  capability.ui32.WatchPointsTotalBits = 2;
  capability.ui32.ASICRevision = 1;
}

void fill_shape(HsaNodeProperties &node, const emulator::GpuConfig &gpu) {
  node.NumFComputeCores = gpu.compute_units() * simds_per_cu;
  node.NumSIMDPerCU = simds_per_cu;
  node.NumShaderBanks = gpu.xccs() * gpu.engines();
  node.NumArrays = gpu.arrays();
  node.NumCUPerArray = gpu.most_cus_of_an_array();
  node.MaxWavesPerSIMD = 10;
  node.MaxSlotsScratchCU = 32;
  node.LDSSizeInKB = lds_bytes >> 10;
  node.WaveFrontSize = gpu.gfx_major >= 10 ? 32 : 64;
  node.VGPRSizePerCU = 262144;
  node.SGPRSizePerCU = 12800;
}

void fill_names(HsaNodeProperties &node, const emulator::GpuConfig &gpu) {
  const auto room = HSA_PUBLIC_NAME_SIZE - 1;
  std::copy_n(gpu.marketing_name.begin(), std::min<size_t>(gpu.marketing_name.size(), room), node.MarketingName);
  std::copy_n(gpu.amd_name.begin(), std::min<size_t>(gpu.amd_name.size(), room), node.AMDName);
}

void fill_gpu(HsaNodeProperties &node, const emulator::GpuConfig &gpu) {
  fill_capability(node.Capability);
  fill_shape(node, gpu);
  fill_names(node, gpu);
  node.NumMemoryBanks = 3;
  node.NumCaches = std::size(gpu_caches);
  node.NumIOLinks = 1;
  node.FComputeIdLo = 0x80000000;
  node.EngineId.ui32.uCode = 462;
  node.EngineId.ui32.Major = gpu.gfx_major;
  node.EngineId.ui32.Minor = gpu.gfx_minor;
  node.EngineId.ui32.Stepping = gpu.gfx_stepping;
  node.uCodeEngineVersions.uCodeSDMA = 145;
  node.VendorId = 0x1002;
  node.DeviceId = static_cast<HSAuint16>(gpu.device_id);
  node.LocationId = gpu.location_id;
  node.MaxEngineClockMhzFCompute = 1725;
  node.MaxEngineClockMhzCCompute = 3000;
  node.DrmRenderMinor = gpu.render_minor;
  node.NumSdmaEngines = 2;
  node.NumSdmaQueuesPerEngine = 8;
  node.NumCpQueues = static_cast<HSAuint8>(std::min<uint32_t>(gpu.costs.queue_slots, 255));
  node.NumGws = static_cast<HSAuint8>(instance()->config.gws);
  node.UniqueID = gpu.unique_id;
}

bool exists(HSAuint32 node) { return node < instance()->nodes(); }

}  // namespace

extern "C" {

HSAKMT_STATUS hsaKmtAcquireSystemProperties(HsaSystemProperties *properties) {
  std::memset(properties, 0, sizeof *properties);
  properties->NumNodes = instance()->nodes();
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtReleaseSystemProperties(void) { return HSAKMT_STATUS_SUCCESS; }

HSAKMT_STATUS hsaKmtGetNodeProperties(HSAuint32 node, HsaNodeProperties *properties) {
  if (!exists(node)) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  std::memset(properties, 0, sizeof *properties);
  if (const emulator::Device *device = instance()->device_of(node))
    fill_gpu(*properties, device->gpu());
  else
    fill_cpu(*properties);
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtGetNodeMemoryProperties(HSAuint32 node, HSAuint32 count, HsaMemoryProperties *banks) {
  if (!exists(node)) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  std::memset(banks, 0, count * sizeof *banks);
  HsaMemoryProperties known[3]{};
  size_t used = 1;
  if (const emulator::Device *device = instance()->device_of(node)) {
    known[0].HeapType =
        instance()->config.large_bar ? HSA_HEAPTYPE_FRAME_BUFFER_PUBLIC : HSA_HEAPTYPE_FRAME_BUFFER_PRIVATE;
    known[0].SizeInBytes = device->gpu().vram_bytes;
    known[0].Width = 4096;
    known[0].MemoryClockMax = 1000;
    known[1].HeapType = HSA_HEAPTYPE_GPU_LDS;
    known[1].SizeInBytes = lds_bytes;
    known[1].VirtualBaseAddress = lds_aperture;
    known[2].HeapType = HSA_HEAPTYPE_GPU_SCRATCH;
    known[2].SizeInBytes = 4ULL << 30;
    known[2].VirtualBaseAddress = scratch_aperture;
    used = 3;
  } else {
    known[0].HeapType = HSA_HEAPTYPE_SYSTEM;
    known[0].SizeInBytes = static_cast<HSAuint64>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    known[0].Width = 64;
    known[0].MemoryClockMax = 2400;
  }
  std::copy_n(known, std::min<size_t>(used, count), banks);
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtGetNodeCacheProperties(HSAuint32 node, HSAuint32, HSAuint32 count, HsaCacheProperties *caches) {
  if (!exists(node)) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  const bool gpu = instance()->device_of(node) != nullptr;
  std::memset(caches, 0, count * sizeof *caches);
  const Cache *known = gpu ? gpu_caches : cpu_caches;
  const size_t used = std::min<size_t>(count, gpu ? std::size(gpu_caches) : std::size(cpu_caches));
  for (size_t i = 0; i < used; i++) {
    caches[i].CacheLevel = known[i].level;
    caches[i].CacheSize = known[i].kilobytes;
    caches[i].CacheLineSize = 64;
    caches[i].CacheLinesPerTag = 1;
    caches[i].CacheType.ui32.Data = 1;
    caches[i].CacheType.ui32.HSACU = gpu;
    caches[i].CacheType.ui32.CPU = !gpu;
  }
  return HSAKMT_STATUS_SUCCESS;
}

/* HIP takes the link from the host to the GPU for a large BAR. */
HSAKMT_STATUS hsaKmtGetNodeIoLinkProperties(HSAuint32 node, HSAuint32 count, HsaIoLinkProperties *links) {
  if (!exists(node)) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  std::memset(links, 0, count * sizeof *links);
  for (HSAuint32 i = 0; i < count; i++) {
    links[i].IoLinkType = HSA_IOLINKTYPE_PCIEXPRESS;
    links[i].NodeFrom = node;
    links[i].NodeTo = node > 0 ? 0 : 1 + i;
    links[i].Weight = 20;
    links[i].MaximumBandwidth = 16000;
  }
  return HSAKMT_STATUS_SUCCESS;
}

/* ROCr's image support gives up on anything but success. */
HSAKMT_STATUS hsaKmtGetTileConfig(HSAuint32, HsaGpuTileConfig *config) {
  config->NumTileConfigs = 0;
  config->NumMacroTileConfigs = 0;
  return HSAKMT_STATUS_SUCCESS;
}

}  // extern "C"
