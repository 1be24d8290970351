#include "blits.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace emulator {
namespace {

struct Arguments {
  const eclip_dispatch &dispatch;

  uint64_t word(size_t index) const {
    uint64_t value;
    std::memcpy(&value, static_cast<const char *>(dispatch.arguments) + index * 8, sizeof value);
    return value;
  }
  uint32_t half(size_t index) const {
    uint32_t value;
    std::memcpy(&value, static_cast<const char *>(dispatch.arguments) + index * 4, sizeof value);
    return value;
  }
  char *host(uint64_t address) const { return static_cast<char *>(dispatch.host(&dispatch, address)); }
};

/* Pages of the host memory behind one range may be registered apart; a copy of up to this much at a time would cross
 * them unseen, so both ends are translated once per range, which registration guarantees to be whole. */
void move(const Arguments &arguments, uint64_t source, uint64_t destination, uint64_t bytes) {
  std::memmove(arguments.host(destination), arguments.host(source), bytes);
}

Transfer shader_transfer(const eclip_dispatch &dispatch, size_t end_word) {
  const Arguments a{dispatch};
  return {a.word(0), a.word(1), a.word(end_word) - a.word(0)};
}

void shader_copy(const eclip_dispatch &dispatch, size_t end_word) {
  const Transfer transfer = shader_transfer(dispatch, end_word);
  move({dispatch}, transfer.source, transfer.destination, transfer.bytes);
}

constexpr size_t aligned_end = 8, misaligned_end = 4;

void copy_aligned(const eclip_dispatch *dispatch) { shader_copy(*dispatch, aligned_end); }
void copy_misaligned(const eclip_dispatch *dispatch) { shader_copy(*dispatch, misaligned_end); }

void fill(const eclip_dispatch *dispatch) {
  const Arguments a{*dispatch};
  auto *to = reinterpret_cast<uint32_t *>(a.host(a.word(0)));
  std::fill(to, to + (a.word(2) - a.word(0)) / sizeof(uint32_t), a.half(6));
}

struct FillArguments {
  char *to;
  const char *pattern;
  uint64_t unit, pattern_bytes, offset;
};

/* Four pointers for units of 1, 2, 4 and 8 bytes, one of them set. */
FillArguments fill_arguments(const Arguments &a) {
  size_t which = 0;
  while (which < 3 && a.word(which) == 0) which++;
  const uint64_t unit = 1ULL << which;
  return {a.host(a.word(which)), a.host(a.word(4)), unit, a.half(10) * unit, a.word(6) * unit};
}

void repeat(char *to, const FillArguments &fill, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes; done += fill.pattern_bytes)
    std::memcpy(to + done, fill.pattern, std::min(fill.pattern_bytes, bytes - done));
}

uint64_t fill_bytes(const eclip_dispatch &dispatch) {
  const Arguments a{dispatch};
  const FillArguments fill = fill_arguments(a);
  return a.word(7) * fill.pattern_bytes;
}

void fill_buffer(const eclip_dispatch *dispatch) {
  const FillArguments fill = fill_arguments({*dispatch});
  if (fill.pattern_bytes > 0) repeat(fill.to + fill.offset, fill, fill_bytes(*dispatch));
}

void fill_buffer_2d(const eclip_dispatch *dispatch) {
  const Arguments a{*dispatch};
  const FillArguments fill = fill_arguments(a);
  const uint64_t width = a.word(7), height = a.word(8), pitch = a.word(9);
  for (uint64_t row = 0; fill.pattern_bytes > 0 && row < height; row++)
    repeat(fill.to + fill.offset + row * pitch * fill.unit, fill, width * fill.pattern_bytes);
}

Transfer buffer_transfer(const eclip_dispatch &dispatch) {
  const Arguments a{dispatch};
  const uint64_t bytes = a.word(4) == 0 ? 0 : (a.word(4) - 1) * 4 + a.half(10);
  return {a.word(0) + a.word(2), a.word(1) + a.word(3), bytes};
}

void copy_buffer(const eclip_dispatch *dispatch) {
  const Transfer transfer = buffer_transfer(*dispatch);
  move({*dispatch}, transfer.source, transfer.destination, transfer.bytes);
}

/* Two rectangles {row pitch, slice pitch, offset} and the size to copy, in units. */
void copy_rectangle(const eclip_dispatch &dispatch, uint64_t unit) {
  const Arguments a{dispatch};
  const char *from = a.host(a.word(0));
  char *to = a.host(a.word(1));
  const uint64_t width = a.word(12), height = std::max<uint64_t>(a.word(13), 1),
                 depth = std::max<uint64_t>(a.word(14), 1);
  for (uint64_t slice = 0; slice < depth; slice++)
    for (uint64_t row = 0; row < height; row++)
      std::memmove(to + (a.word(10) + row * a.word(8) + slice * a.word(9)) * unit,
                   from + (a.word(6) + row * a.word(4) + slice * a.word(5)) * unit, width * unit);
}

void copy_rectangle_bytes(const eclip_dispatch *dispatch) { copy_rectangle(*dispatch, 1); }
void copy_rectangle_words(const eclip_dispatch *dispatch) { copy_rectangle(*dispatch, 4); }

Transfer rectangle_transfer(const eclip_dispatch &dispatch, uint64_t unit) {
  const Arguments a{dispatch};
  const uint64_t items = a.word(12) * std::max<uint64_t>(a.word(13), 1) * std::max<uint64_t>(a.word(14), 1);
  return {a.word(0) + a.word(6) * unit, a.word(1) + a.word(10) * unit, items * unit};
}

void write_value(const eclip_dispatch *dispatch) {
  const Arguments a{*dispatch};
  if (a.word(0) != 0)
    __atomic_store_n(reinterpret_cast<uint32_t *>(a.host(a.word(0))), static_cast<uint32_t>(a.word(2)),
                     __ATOMIC_RELEASE);
  else if (a.word(1) != 0)
    __atomic_store_n(reinterpret_cast<uint64_t *>(a.host(a.word(1))), a.word(2), __ATOMIC_RELEASE);
}

template <typename Word>
bool compare(const Arguments &a, uint64_t address) {
  using Signed = std::make_signed_t<Word>;
  const Word mask = static_cast<Word>(a.word(4)), value = static_cast<Word>(a.word(2));
  const Word seen = __atomic_load_n(reinterpret_cast<Word *>(a.host(address)), __ATOMIC_ACQUIRE) & mask;
  switch (a.word(3)) {
    case 0: return static_cast<Signed>(seen - value) >= 0;
    case 1: return seen == value;
    case 2: return (seen & value) != 0;
    default: return static_cast<Word>(~(seen | value)) != 0;
  }
}

void no_effect(const eclip_dispatch *) {}

constexpr char wait_name[] = "__amd_rocclr_streamOpsWait";
constexpr char copy_aligned_name[] = "rocr_copy_aligned", copy_misaligned_name[] = "rocr_copy_misaligned";
constexpr char fill_name[] = "rocr_fill", copy_buffer_name[] = "__amd_rocclr_copyBuffer";
constexpr char rectangle_name[] = "__amd_rocclr_copyBufferRect";
constexpr char rectangle_words_name[] = "__amd_rocclr_copyBufferRectAligned";

constexpr eclip_kernel blits[] = {
    {copy_aligned_name, nullptr, copy_aligned},
    {copy_misaligned_name, nullptr, copy_misaligned},
    {fill_name, nullptr, fill},
    {"__amd_rocclr_fillBufferAligned", nullptr, fill_buffer},
    {"__amd_rocclr_fillBufferAligned2D", nullptr, fill_buffer_2d},
    {copy_buffer_name, nullptr, copy_buffer},
    {"__amd_rocclr_copyBufferAligned", nullptr, copy_buffer},
    {rectangle_name, nullptr, copy_rectangle_bytes},
    {rectangle_words_name, nullptr, copy_rectangle_words},
    {"__amd_rocclr_streamOpsWrite", nullptr, write_value},
    {wait_name, nullptr, no_effect},
    {"__amd_rocclr_gwsInit", nullptr, no_effect},
};

}  // namespace

const eclip_kernel *find_blit(const char *name) {
  for (const eclip_kernel &blit : blits)
    if (std::strcmp(blit.name, name) == 0) return &blit;
  return nullptr;
}

/* ROCr's shaders come without names; these words of their code tell them apart (rocm-5.2.3, amd_blit_shaders). */
const char *shader_name(const void *kernel_code) {
  uint64_t offset;
  std::memcpy(&offset, static_cast<const char *>(kernel_code) + 16, sizeof offset);
  if (offset != 256) return nullptr;
  uint32_t code[7];
  std::memcpy(code, static_cast<const char *>(kernel_code) + offset, sizeof code);
  if (code[0] != 0xC00A0100) return nullptr;
  if (code[4] == 0xBF8C007F) return fill_name;
  if (code[4] != 0xC00A0300) return nullptr;
  return code[6] == 0xC00A0400 ? copy_aligned_name : copy_misaligned_name;
}

Transfer transfer_of(const char *name, const eclip_dispatch &dispatch) {
  const std::string_view kernel(name);
  if (kernel == copy_aligned_name) return shader_transfer(dispatch, aligned_end);
  if (kernel == copy_misaligned_name) return shader_transfer(dispatch, misaligned_end);
  if (kernel == copy_buffer_name || kernel == "__amd_rocclr_copyBufferAligned") return buffer_transfer(dispatch);
  if (kernel == rectangle_name) return rectangle_transfer(dispatch, 1);
  if (kernel == rectangle_words_name) return rectangle_transfer(dispatch, 4);
  if (kernel == fill_name) {
    const Arguments a{dispatch};
    return {a.word(0), a.word(0), a.word(2) - a.word(0)};
  }
  if (kernel == "__amd_rocclr_fillBufferAligned") {
    const Arguments a{dispatch};
    size_t which = 0;
    while (which < 3 && a.word(which) == 0) which++;
    return {a.word(which), a.word(which), fill_bytes(dispatch)};
  }
  return {};
}

bool is_wait(const char *name) { return std::strcmp(name, wait_name) == 0; }

bool wait_is_over(const eclip_dispatch &dispatch) {
  const Arguments a{dispatch};
  return a.word(0) != 0 ? compare<uint32_t>(a, a.word(0)) : compare<uint64_t>(a, a.word(1));
}

}  // namespace emulator
