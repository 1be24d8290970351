/* Names of kernels, read from the code object that ROCr has loaded around their descriptors. */
#pragma once

#include <cstdint>
#include <string>

namespace emulator {

/* `block` is the allocation that holds the loaded code object, which starts with its ELF header. Empty if there is no
 * code object, or none of its symbols is this kernel's descriptor. */
std::string kernel_name(uint64_t block, uint64_t block_size, uint64_t kernel_object);

}  // namespace emulator
