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

// The same plan with every kernel of every variant where variant 0 has most of them: on one masked stream, or on the
// application's own. So the CU count stays until the next table.
std::shared_ptr<const Plan> on_one_stream(const Plan &plan);

}  // namespace eclip
