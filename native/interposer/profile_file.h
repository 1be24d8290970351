// The slot's profile file (native/include/eclip/slot.h), as profile mode writes it.
#pragma once

#include <cstdint>
#include <string>

#include "eclip/slot.h"

namespace eclip {

class ProfileFile {
 public:
  enum State : uint32_t { Empty, Measuring, Complete, Failed };

  // Says that a measurement begins. The file may be another one than the last time.
  void begin(const std::string &path);
  void progress(uint32_t percent);
  void finish(State state, const std::string &text);

 private:
  eclip_profile_header *header_ = nullptr;  // null: nobody will see it
};

}  // namespace eclip
