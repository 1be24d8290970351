// What the command line of every workload program says.
#pragma once

#include <cstdint>
#include <string>

namespace workloads {

struct Options {
  uint64_t requests = 0;  // 0: no limit
  double seconds = 0;     // 0: no limit
  double rate = 0;        // requests/s that arrive at random; 0: closed loop
  double period_ms = 0;   // one request a period; 0: closed loop
  uint32_t batch = 0;     // 0: the model's own
  std::string variant = "default";
  bool reference = false;  // compute the checksum on the host only
  bool list = false;       // print the launches of one request
};

// Prints one line and exits with 2 where the command line is no good.
Options parse_options(int argc, char **argv);

}  // namespace workloads
