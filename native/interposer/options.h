// What the environment says. A value that is not understood is named on stderr, once, and its default taken.
#pragma once

#include <string>
#include <vector>

#include "eclip/slot.h"

namespace eclip {

enum class Rule { Profile, Redirect, Pass };

struct Options {
  eclip_mode mode = ECLIP_OFF;           // ECLIP_MODE; enforce where only a slot is given
  bool single_mask = false;              // ECLIP_SINGLE_MASK=1: one CU count for the whole process
  std::string slot;                      // ECLIP_SLOT
  Rule non_blocking = Rule::Profile;     // ECLIP_NON_BLOCKING=profile|redirect|pass
  Rule priority = Rule::Pass;            // ECLIP_PRIORITY=redirect|pass
  uint32_t max_streams = ECLIP_STREAMS;  // ECLIP_MAX_STREAMS: masked streams of this process
  std::vector<std::string> deny;         // ECLIP_DENY: globs of kernel names, separated by commas
  std::string request_range;             // ECLIP_REQUEST_RANGE: only ranges whose message starts so are requests
  bool log = false;                      // ECLIP_LOG=1: say on stderr what is done
};

Options options_from_environment();

void say(const std::string &line);  // one line on stderr, named as ours

}  // namespace eclip
