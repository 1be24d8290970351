// Follows the launches of one thread on one application stream through the models of a plan. Pure.
//
// A cursor takes each launch for the next kernel of its lane. When it is another one it looks for its place again by the
// last few launches: a kernel left out or put in, a start of another model, or any place whose last kernels agree. Until
// it finds one, every kernel gets the stream that it usually has.
#pragma once

#include <cstdint>
#include <vector>

#include "plan.h"

namespace eclip {

constexpr uint32_t cursor_history = 8;   // launches that are compared to find a place
constexpr uint32_t cursor_window = 16;   // kernels that may be left out at once
constexpr uint32_t cursor_patience = 8;  // launches out of place before the place is given up
constexpr uint32_t cursor_certain = 3;   // launches that must agree where nothing else speaks for a place
constexpr uint32_t cursor_places = 512;  // places looked at in one search

struct Step {
  int stream = unknown_kernel;  // index into Plan::sets, whole_gpu or unknown_kernel
  int next = unknown_kernel;    // where the next kernel of the lane goes, if this guess is right
  uint32_t model = 0;
  StreamKind kind = StreamKind::Unknown;  // of the application stream, as the profile saw it
  bool known = false;                     // model and kind hold
  bool request_start = false;
  bool request_end = false;
  bool lane_end = false;
  bool mismatch = false;
  bool resync = false;
  bool placed = false;  // lane and position hold
  uint32_t lane = 0;
  uint32_t position = 0;
};

class Cursor {
 public:
  Step advance(const Plan &plan, uint64_t active, const KernelKey &key);
  // How many kernels will follow, as far as the plan knows, before the request's last one, and before the last one that
  // goes to the same stream unless `anywhere`. At most `most`.
  uint32_t ahead(const Plan &plan, bool anywhere, uint32_t most) const;
  // The lane follows itself, and unless `anywhere` all of it goes to one stream; under the plan's variant for `active`.
  bool turns(const Plan &plan, bool anywhere) const {
    return placed_ && last_lane_ == lane_ && after_[lane_] == lane_ &&
           (anywhere || plan.variants[variant_].uniform[lane_]);
  }
  uint64_t active() const { return active_; }
  void skip(const Plan &plan, uint32_t count);  // so many came as expected, round and round the lane
  // At a request boundary, or at no place at all: a new plan may be taken now.
  bool at_boundary() const { return !placed_ || position_ == 0; }
  // Of the kernel expected next, where the last one had a place.
  uint32_t lane() const { return lane_; }
  uint32_t position() const { return position_; }
  void restart();  // a new plan, or a request boundary that the application marked

 private:
  Step take(const Plan &plan, uint64_t active, Place place);
  Step search(const Plan &plan, uint64_t active, const KernelKey &key);
  bool locate(const Plan &plan, uint32_t key, Place &found) const;
  uint32_t agreement(const Lane &lane, uint32_t position, bool &anchored) const;
  void remember(uint32_t key);
  bool expected(const Plan &plan, const KernelKey &key) const;

  bool placed_ = false;
  bool fresh_ = true;  // nothing followed yet: finding the first place is no mismatch
  uint32_t lane_ = 0;
  uint32_t last_lane_ = 0;  // of the launch before this one
  uint32_t before_ = 0;     // lane of the request before this one
  uint32_t position_ = 0;   // of the kernel expected next
  uint32_t variant_ = 0;
  uint64_t active_ = 0;  // by which it was chosen
  uint32_t misses_ = 0;
  uint32_t seen_ = 0;
  uint32_t history_[cursor_history] = {};
  std::vector<uint32_t> after_;  // [lane]: the lane that followed it last time
};

}  // namespace eclip
