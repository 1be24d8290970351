#include "period.h"

#include <algorithm>

namespace eclip {

namespace {

constexpr size_t repeats_with_waits = 3;
constexpr size_t repeats_without_waits = 8;
constexpr size_t launches_without_waits = 512;

std::optional<Cycle> marked_cycle(const std::vector<Recorded> &sequence) {
  std::vector<size_t> begins;  // latest first
  for (size_t at = sequence.size(); at-- > 1 && begins.size() < 4;) {
    if (sequence[at].mark != sequence[at - 1].mark) {
      begins.push_back(at);
    }
  }
  if (begins.size() < 4) {
    return std::nullopt;
  }
  const size_t length = begins[0] - begins[1];
  for (size_t back = 1; back < 3; ++back) {
    if (begins[back] - begins[back + 1] != length) {
      return std::nullopt;
    }
    for (size_t at = 0; at < length; ++at) {
      if (sequence[begins[back] + at].item != sequence[begins[back + 1] + at].item) {
        return std::nullopt;
      }
    }
  }
  return Cycle{begins[1], length};
}

// The last three quarters, so that what happens once at the start is left behind as the sequence grows.
size_t tail_of(const std::vector<Recorded> &sequence) { return sequence.size() / 4; }

std::vector<uint32_t> items_of(const std::vector<Recorded> &sequence, size_t from, bool with_waits) {
  std::vector<uint32_t> items;
  for (size_t at = from; at < sequence.size(); ++at) {
    items.push_back(sequence[at].item * 2 + (with_waits && sequence[at].waited ? 1 : 0));
  }
  return items;
}

uint32_t usual_gap(const std::vector<Recorded> &sequence, size_t at, size_t period) {
  uint32_t gaps[3] = {sequence[at].gap_micros, sequence[at - period].gap_micros, sequence[at - 2 * period].gap_micros};
  std::sort(gaps, gaps + 3);
  return gaps[1];
}

Cycle with_start(const std::vector<Recorded> &sequence, size_t period) {
  const size_t last = sequence.size() - period;
  const bool waits = std::any_of(sequence.begin() + static_cast<std::ptrdiff_t>(last), sequence.end(),
                                 [](const Recorded &launch) { return launch.waited; });
  size_t best = last;
  uint32_t longest = 0;
  for (size_t at = last; at < sequence.size(); ++at) {
    const uint32_t gap = usual_gap(sequence, at, period);
    if ((!waits || sequence[at].waited) && gap >= longest + (longest == 0 ? 0 : 1)) {
      best = at;
      longest = gap;
    }
  }
  return {best - period, period};
}

}  // namespace

size_t smallest_period(const std::vector<uint32_t> &items) {
  // The longest border of each prefix (Knuth, Morris, Pratt): a sequence of length n with border b has period n - b.
  std::vector<size_t> border(items.size() + 1, 0);
  size_t matched = 0;
  for (size_t at = 1; at < items.size(); ++at) {
    while (matched > 0 && items[at] != items[matched]) {
      matched = border[matched];
    }
    matched += items[at] == items[matched] ? 1 : 0;
    border[at + 1] = matched;
  }
  return items.size() - border[items.size()];
}

std::optional<Cycle> find_cycle(const std::vector<Recorded> &sequence) {
  if (sequence.empty()) {
    return std::nullopt;
  }
  if (sequence.back().mark != 0) {
    return marked_cycle(sequence);
  }
  const size_t from = tail_of(sequence);
  const size_t count = sequence.size() - from;
  const bool waits = std::any_of(sequence.begin() + static_cast<std::ptrdiff_t>(from), sequence.end(),
                                 [](const Recorded &launch) { return launch.waited; });
  if (waits) {
    const size_t period = smallest_period(items_of(sequence, from, true));
    if (period * repeats_with_waits <= count) {
      return with_start(sequence, period);
    }
  }
  const size_t period = smallest_period(items_of(sequence, from, false));
  if (count >= launches_without_waits && period * repeats_without_waits <= count) {
    return with_start(sequence, period);
  }
  return std::nullopt;
}

}  // namespace eclip
