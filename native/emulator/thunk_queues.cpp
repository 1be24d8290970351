#include <hsakmt.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "dealing.h"
#include "emulator.h"

using emulator::instance;

namespace {

constexpr size_t doorbell_stride = 8; /* in 8-byte slots: a cache line each, as many threads ring at one time */
constexpr size_t doorbells_at_a_time = 64;

uint64_t *take_doorbell() {
  auto &free_list = instance()->free_doorbells;
  if (free_list.empty()) {
    auto *page = new (std::align_val_t{4096}) uint64_t[doorbells_at_a_time * doorbell_stride];
    for (size_t i = doorbells_at_a_time; i-- > 0;) free_list.push_back(page + i * doorbell_stride);
  }
  uint64_t *doorbell = free_list.back();
  free_list.pop_back();
  *doorbell = UINT64_MAX;
  return doorbell;
}

struct Found {
  emulator::Device *device = nullptr;
  emulator::Queue *queue = nullptr;
};

Found find(HSA_QUEUEID id) {
  for (const auto &device : instance()->devices)
    if (emulator::Queue *queue = device->find_queue(static_cast<uint32_t>(id))) return {device.get(), queue};
  return {};
}

/* A log-normal time; `worst` lies 3.09 deviations above the median. */
double draw_mask_call(const emulator::MaskCall &call) {
  if (call.median_micros <= 0) return 0;
  static auto *const random = new std::mt19937_64(std::random_device{}());
  const double deviation = std::log(call.worst_micros / call.median_micros) / 3.09;
  const double drawn = call.median_micros * std::exp(deviation * std::normal_distribution<double>()(*random));
  return std::min(drawn, call.worst_micros);
}

/* Stands for `micros` of GPU time, which are over at `end`. */
void pass(const emulator::Chip &chip, double micros, double end) {
  if (chip.virtual_time())
    instance()->waits.until([&] { return chip.micros() >= end; });
  else
    usleep(static_cast<useconds_t>(micros * chip.clock().scale()));
}

}  // namespace

extern "C" {

HSAKMT_STATUS hsaKmtCreateQueue(HSAuint32 node, HSA_QUEUE_TYPE type, HSAuint32, HSA_QUEUE_PRIORITY, void *address,
                                HSAuint64 bytes, HsaEvent *, HsaQueueResource *resource) {
  /* Without SDMA queues ROCr copies with its shaders. */
  if (type != HSA_QUEUE_COMPUTE_AQL) return HSAKMT_STATUS_NOT_SUPPORTED;
  emulator::Emulator &all = *instance();
  emulator::Device *device = all.device_of(node);
  if (device == nullptr) return HSAKMT_STATUS_INVALID_NODE_UNIT;
  emulator::Scheduler::Visit visit(all.scheduler);
  const emulator::Ring ring{static_cast<emulator::Packet *>(address), bytes / sizeof(emulator::Packet),
                            resource->Queue_read_ptr_aql, resource->Queue_write_ptr_aql, take_doorbell()};
  if (device->open_queue(all.next_queue, ring) == nullptr) return HSAKMT_STATUS_OUT_OF_RESOURCES;
  resource->QueueId = all.next_queue++;
  resource->Queue_DoorBell_aql = ring.doorbell;
  all.scheduler.start();
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtUpdateQueue(HSA_QUEUEID id, HSAuint32, HSA_QUEUE_PRIORITY, void *, HSAuint64, HsaEvent *) {
  emulator::Scheduler::Visit visit(instance()->scheduler);
  return find(id).queue != nullptr ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_INVALID_HANDLE;
}

/* ROCr frees the ring right afterwards. */
HSAKMT_STATUS hsaKmtDestroyQueue(HSA_QUEUEID id) {
  emulator::Scheduler::Visit visit(instance()->scheduler);
  const Found found = find(id);
  if (found.queue == nullptr) return HSAKMT_STATUS_INVALID_HANDLE;
  instance()->free_doorbells.push_back(found.queue->ring().doorbell);
  found.device->close_queue(found.queue);
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtSetQueueCUMask(HSA_QUEUEID id, HSAuint32 bits, HSAuint32 *words) {
  if (bits == 0 || bits % 32 != 0 || words == nullptr) return HSAKMT_STATUS_INVALID_PARAMETER;
  double micros, end;
  Found found;
  {
    emulator::Scheduler::Visit visit(instance()->scheduler);
    found = find(id);
    if (found.queue == nullptr) return HSAKMT_STATUS_INVALID_HANDLE;
    eclip_cu_set mask = emulator::clip_mask(words, bits / 32, found.device->chip().compute_units());
    /* The driver takes a mask without any CU, and the hardware then runs the queue on all of them. */
    if (emulator::count_cus(mask) == 0) mask = emulator::full_mask(found.device->chip().compute_units());
    micros = draw_mask_call(found.device->gpu().costs.mask_call);
    end = found.device->set_mask(*found.queue, mask, micros);
  }
  if (micros > 0) pass(found.device->chip(), micros, end); /* the ioctl returns when the queues are back */
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtGetQueueInfo(HSA_QUEUEID, HsaQueueInfo *) { return HSAKMT_STATUS_NOT_SUPPORTED; }

HSAKMT_STATUS hsaKmtAllocQueueGWS(HSA_QUEUEID, HSAuint32, HSAuint32 *first) {
  *first = 0;
  return HSAKMT_STATUS_SUCCESS;
}

}  // extern "C"
