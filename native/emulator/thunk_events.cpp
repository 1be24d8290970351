#include <hsakmt.h>

#include <cstring>
#include <vector>

#include "emulator.h"

using emulator::instance;

extern "C" {

HSAKMT_STATUS hsaKmtCreateEvent(HsaEventDescriptor *descriptor, bool manual_reset, bool signaled, HsaEvent **event) {
  if (descriptor == nullptr || event == nullptr) return HSAKMT_STATUS_INVALID_PARAMETER;
  emulator::Events &events = instance()->events;
  const uint32_t id = events.create(manual_reset, signaled);
  if (id == 0) return HSAKMT_STATUS_OUT_OF_RESOURCES;
  auto *made = new HsaEvent;
  std::memset(made, 0, sizeof *made);
  made->EventId = id;
  made->EventData.EventType = descriptor->EventType;
  made->EventData.HWData1 = id;
  made->EventData.HWData2 = reinterpret_cast<HSAuint64>(events.mailbox(id));
  made->EventData.HWData3 = id;
  /* Of a memory event the union holds the fault, which must be none. */
  if (descriptor->EventType != HSA_EVENTTYPE_MEMORY) made->EventData.EventData.SyncVar = descriptor->SyncVar;
  *event = made;
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtDestroyEvent(HsaEvent *event) {
  if (event == nullptr || !instance()->events.destroy(event->EventId)) return HSAKMT_STATUS_INVALID_HANDLE;
  delete event;
  return HSAKMT_STATUS_SUCCESS;
}

HSAKMT_STATUS hsaKmtSetEvent(HsaEvent *event) {
  const bool done = event != nullptr && instance()->events.set(event->EventId);
  return done ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_INVALID_HANDLE;
}

HSAKMT_STATUS hsaKmtResetEvent(HsaEvent *event) {
  const bool done = event != nullptr && instance()->events.reset(event->EventId);
  return done ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_INVALID_HANDLE;
}

HSAKMT_STATUS hsaKmtWaitOnMultipleEvents(HsaEvent *list[], HSAuint32 count, bool all, HSAuint32 milliseconds) {
  if (list == nullptr) return HSAKMT_STATUS_INVALID_HANDLE;
  std::vector<uint32_t> ids;
  for (HSAuint32 i = 0; i < count; i++) {
    if (list[i] == nullptr) return HSAKMT_STATUS_INVALID_HANDLE;
    ids.push_back(list[i]->EventId);
  }
  instance()->scheduler.nudge();
  return instance()->events.wait(ids, all, milliseconds) ? HSAKMT_STATUS_SUCCESS : HSAKMT_STATUS_WAIT_TIMEOUT;
}

HSAKMT_STATUS hsaKmtWaitOnEvent(HsaEvent *event, HSAuint32 milliseconds) {
  if (event == nullptr) return HSAKMT_STATUS_INVALID_HANDLE;
  return hsaKmtWaitOnMultipleEvents(&event, 1, true, milliseconds);
}

}  // extern "C"
