#include "code_object.h"

#include <elf.h>

#include <cstring>

namespace emulator {
namespace {

constexpr uint64_t descriptor_size = 64;
constexpr char descriptor_suffix[] = ".kd";

struct Image {
  const char *base;
  uint64_t size;

  template <typename T>
  const T *at(uint64_t offset, uint64_t count = 1) const {
    if (offset > size || count > (size - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T *>(base + offset);
  }
};

struct Symbols {
  uint64_t table = 0, strings = 0, hash = 0;
};

Symbols find_symbols(const Image &image, const Elf64_Ehdr &header) {
  Symbols symbols;
  const auto *segments = image.at<Elf64_Phdr>(header.e_phoff, header.e_phnum);
  for (int i = 0; segments != nullptr && i < header.e_phnum; i++) {
    if (segments[i].p_type != PT_DYNAMIC) continue;
    const uint64_t count = segments[i].p_memsz / sizeof(Elf64_Dyn);
    const auto *entries = image.at<Elf64_Dyn>(segments[i].p_vaddr, count);
    for (uint64_t e = 0; entries != nullptr && e < count && entries[e].d_tag != DT_NULL; e++) {
      if (entries[e].d_tag == DT_SYMTAB) symbols.table = entries[e].d_un.d_ptr;
      if (entries[e].d_tag == DT_STRTAB) symbols.strings = entries[e].d_un.d_ptr;
      if (entries[e].d_tag == DT_HASH) symbols.hash = entries[e].d_un.d_ptr;
    }
  }
  return symbols;
}

std::string without_suffix(const Image &image, uint64_t offset) {
  if (offset >= image.size) return {};
  const std::string name(image.base + offset, strnlen(image.base + offset, image.size - offset));
  const size_t suffix = sizeof descriptor_suffix - 1;
  if (name.size() <= suffix || name.compare(name.size() - suffix, suffix, descriptor_suffix) != 0) return {};
  return name.substr(0, name.size() - suffix);
}

}  // namespace

std::string kernel_name(uint64_t block, uint64_t block_size, uint64_t kernel_object) {
  const Image image{reinterpret_cast<const char *>(block), block_size};
  const auto *header = image.at<Elf64_Ehdr>(0);
  if (block == 0 || header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {};
  const Symbols symbols = find_symbols(image, *header);
  /* The hash table's chain has one entry per symbol; nothing else in a loaded image tells their number. */
  const auto *hash = image.at<uint32_t>(symbols.hash, 2);
  if (symbols.hash == 0 || symbols.table == 0 || hash == nullptr) return {};
  const auto *table = image.at<Elf64_Sym>(symbols.table, hash[1]);
  for (uint32_t i = 0; table != nullptr && i < hash[1]; i++)
    if (block + table[i].st_value == kernel_object && table[i].st_size == descriptor_size)
      return without_suffix(image, symbols.strings + table[i].st_name);
  return {};
}

}  // namespace emulator
