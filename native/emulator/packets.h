/* Packets of the architected queuing language, as the HSA specification and AMD's extensions lay them out. */
#pragma once

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include <cstdint>

namespace emulator {

struct BarrierValuePacket {
  uint16_t header;
  uint8_t format;
  uint8_t reserved0;
  uint32_t reserved1;
  uint64_t signal;
  int64_t value;
  int64_t mask;
  uint32_t condition;
  uint32_t reserved2;
  uint64_t reserved3[2];
  uint64_t completion_signal;
};

union Packet {
  uint16_t header;
  hsa_kernel_dispatch_packet_t dispatch;
  hsa_barrier_and_packet_t barrier; /* both AND and OR */
  BarrierValuePacket value;
  uint8_t bytes[64];
};
static_assert(sizeof(Packet) == 64 && sizeof(BarrierValuePacket) == 64);

constexpr uint8_t format_pm4 = 1; /* of vendor-specific packets */
constexpr uint8_t format_barrier_value = 2;

inline uint32_t type_of(uint16_t header) { return header & 0xff; }
inline bool has_barrier_bit(uint16_t header) { return (header >> HSA_PACKET_HEADER_BARRIER & 1) != 0; }

}  // namespace emulator
