// Reads a table (native/include/eclip/table.fbs) into a Plan, or says why not. Pure: bytes in, Plan out.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "eclip/slot.h"
#include "plan.h"

namespace eclip {

constexpr uint16_t table_format = 1;
constexpr size_t table_bytes_limit = 64u << 20;

struct Refusal {
  eclip_refusal why;
  std::string text;
};

using Intern = std::function<NameId(const std::string &)>;

// Every offset is verified by FlatBuffers, every index and cover by us: a Plan that exists can be followed blindly.
std::variant<std::shared_ptr<const Plan>, Refusal> read_table(const uint8_t *bytes, size_t size, uint64_t generation,
                                                              const Intern &intern);

}  // namespace eclip
