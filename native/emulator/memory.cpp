#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace emulator {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t huge_page = 2ULL << 20;

uint64_t round_up(uint64_t size, uint64_t to) { return (size + to - 1) / to * to; }

/* Never charged to the host before it is touched: ROCr asks for 4 GiB of scratch at its start. */
uint64_t reserve(uint64_t size, int protection) {
  void *address = mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? 0 : reinterpret_cast<uint64_t>(address);
}

void release(uint64_t address, uint64_t size) {
  if (size > 0) munmap(reinterpret_cast<void *>(address), size);
}

uint64_t reserve_aligned(uint64_t size, int protection) {
  if (size < huge_page) return reserve(size, protection);
  const uint64_t address = reserve(size + huge_page, protection);
  if (address == 0) return 0;
  const uint64_t base = round_up(address, huge_page);
  release(address, base - address);
  release(base + size, address + huge_page - base);
  return base;
}

uint64_t number(const void *pointer) { return reinterpret_cast<uint64_t>(pointer); }

bool within(uint64_t address, uint64_t base, uint64_t size) { return address >= base && address - base < size; }

void fill(HsaPointerInfo &info, const Allocation &allocation) {
  info.Type = HSA_POINTER_ALLOCATED;
  info.Node = allocation.node;
  info.MemFlags = allocation.flags;
  info.CPUAddress = reinterpret_cast<void *>(allocation.base);
  info.GPUAddress = allocation.base;
  info.SizeInBytes = allocation.size;
  info.NMappedNodes = static_cast<uint32_t>(allocation.mapped.size());
  info.MappedNodes = allocation.mapped.data();
  info.UserData = allocation.user_data;
}

void fill(HsaPointerInfo &info, const Registration &registration) {
  info.Type = HSA_POINTER_REGISTERED_USER;
  info.MemFlags = registration.flags;
  info.CPUAddress = reinterpret_cast<void *>(registration.host);
  info.GPUAddress = registration.gpu;
  info.SizeInBytes = registration.size;
  info.NMappedNodes = static_cast<uint32_t>(registration.mapped.size());
  info.MappedNodes = registration.mapped.data();
  info.UserData = registration.user_data;
}

}  // namespace

void *Memory::allocate(uint64_t size, uint32_t node, HsaMemFlags flags) {
  if (size == 0 || size > (1ULL << 46)) return nullptr;
  const uint64_t length = round_up(size, page);
  const uint64_t base = reserve_aligned(length, PROT_READ | PROT_WRITE);
  if (base == 0) return nullptr;
  std::unique_lock lock(mutex_);
  allocations_[base] = {base, length, node, flags, nullptr, {}};
  return reinterpret_cast<void *>(base);
}

uint64_t Memory::free(void *address, uint32_t &node, HsaMemFlags &flags) {
  std::unique_lock lock(mutex_);
  const auto found = allocations_.find(number(address));
  if (found == allocations_.end()) return 0;
  const uint64_t size = found->second.size;
  node = found->second.node;
  flags = found->second.flags;
  allocations_.erase(found);
  release(number(address), size);
  return size;
}

bool Memory::attach(void *address, uint64_t size, HsaMemFlags flags) {
  const uint64_t start = number(address);
  std::unique_lock lock(mutex_);
  if (find(start) != nullptr) return true;
  for (Registration &known : registrations_)
    if (known.host == start && known.size == size) {
      known.references++;
      return true;
    }
  const uint64_t offset = start % page;
  const uint64_t length = round_up(offset + size, page);
  const uint64_t range = reserve(length, PROT_NONE);
  if (range == 0) return false;
  registrations_.push_front({start, size, range + offset, range, length, 1, flags, nullptr, {}});
  registered_++;
  return true;
}

bool Memory::detach(void *address) {
  std::unique_lock lock(mutex_);
  if (find(number(address)) != nullptr) return true;
  Registration *registration = find_registration(number(address));
  if (registration == nullptr) return false;
  if (--registration->references > 0) return true;
  release(registration->reserved, registration->reserved_size);
  registrations_.remove_if([&](const Registration &entry) { return &entry == registration; });
  registered_--;
  return true;
}

bool Memory::map(void *address, const uint32_t *nodes, uint64_t count, uint64_t &alternate) {
  std::unique_lock lock(mutex_);
  alternate = 0;
  std::vector<uint32_t> *mapped = nullptr;
  if (Allocation *allocation = find(number(address))) {
    mapped = &allocation->mapped;
  } else if (Registration *registration = find_registration(number(address))) {
    mapped = &registration->mapped;
    alternate = registration->gpu + (number(address) - registration->host);
  } else {
    return false;
  }
  if (!std::equal(mapped->begin(), mapped->end(), nodes, nodes + count)) mapped->assign(nodes, nodes + count);
  return true;
}

void Memory::unmap(void *address) {
  std::unique_lock lock(mutex_);
  if (Allocation *allocation = find(number(address))) allocation->mapped.clear();
}

bool Memory::query(const void *pointer, HsaPointerInfo &info) {
  std::memset(&info, 0, sizeof info);
  std::shared_lock lock(mutex_);
  if (const Allocation *allocation = find(number(pointer))) {
    fill(info, *allocation);
    return true;
  }
  if (const Registration *registration = find_registration(number(pointer))) {
    fill(info, *registration);
    return true;
  }
  info.Type = HSA_POINTER_UNKNOWN;
  return false;
}

bool Memory::set_user_data(const void *pointer, void *data) {
  std::unique_lock lock(mutex_);
  if (Allocation *allocation = find(number(pointer))) {
    allocation->user_data = data;
    return true;
  }
  if (Registration *registration = find_registration(number(pointer))) {
    registration->user_data = data;
    return true;
  }
  return false;
}

void *Memory::host(uint64_t device_address) const {
  if (registered_.load(std::memory_order_acquire) > 0) {
    std::shared_lock lock(mutex_);
    for (const Registration &entry : registrations_)
      if (within(device_address, entry.gpu, entry.size))
        return reinterpret_cast<void *>(device_address - entry.gpu + entry.host);
  }
  return reinterpret_cast<void *>(device_address);
}

uint64_t Memory::block(uint64_t address, uint64_t &size) const {
  std::shared_lock lock(mutex_);
  const Allocation *allocation = find(address);
  size = allocation != nullptr ? allocation->size : 0;
  return allocation != nullptr ? allocation->base : 0;
}

bool Memory::on_gpu(uint64_t address) const {
  std::shared_lock lock(mutex_);
  const Allocation *allocation = find(address);
  return allocation != nullptr && allocation->node > 0;
}

const Allocation *Memory::find(uint64_t address) const {
  auto after = allocations_.upper_bound(address);
  if (after == allocations_.begin()) return nullptr;
  const Allocation &allocation = std::prev(after)->second;
  return within(address, allocation.base, allocation.size) ? &allocation : nullptr;
}

Allocation *Memory::find(uint64_t address) {
  return const_cast<Allocation *>(static_cast<const Memory *>(this)->find(address));
}

Registration *Memory::find_registration(uint64_t address) {
  for (Registration &entry : registrations_)
    if (entry.host == address || entry.gpu == address) return &entry;
  for (Registration &entry : registrations_)
    if (within(address, entry.host, entry.size) || within(address, entry.gpu, entry.size)) return &entry;
  return nullptr;
}

}  // namespace emulator
