// The least time for every area: a shortest path over (kernel, size, switches, area), cut by a lower bound on what the
// kernels still to come will cost.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "eclip/planner.h"
#include "planner/classes.h"
#include "planner/future.h"

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr uint8_t kStay = 255;

// Labels of one (size, level): the least time for the areas [low, high).
struct Row {
  std::vector<double> time;
  std::vector<double> hops;  // of the path of that time; counted only where no level tells it
  std::size_t low = 0, high = 0;

  bool empty() const { return low >= high; }
};

// For every kernel, size and level: where the best path to each area came from.
struct Origins {
  struct Slice {
    std::size_t low = 0, offset = 0;
  };
  std::vector<Slice> slices;  // [kernels][sizes][levels]
  std::vector<uint8_t> from;
};

class Front {
 public:
  Front(const eclip_paths &paths, const eclip_window &window, std::size_t range, bool keep_origins)
      : paths_(paths),
        window_(window),
        budget_(paths.levels != 0),
        levels_(budget_ ? paths.levels : 1),
        keep_(keep_origins),
        future_(paths, window.price),
        rows_(paths.sizes * levels_),
        least_(range),
        least_hops_(budget_ ? 0 : range),
        origin_(range) {
    for (Row &row : rows_) row = {std::vector<double>(range, kNever), std::vector<double>(least_hops_.size()), 0, 0};
  }

  bool run(int first) {
    if (bounded()) future_.run(first);
    start(first);
    for (uint32_t kernel = 1; kernel < paths_.kernels; ++kernel) {
      for (std::size_t level = levels_; level-- > 0;) step(kernel, level);
      if (labels_ > window_.max_labels) return false;
    }
    return true;
  }

  uint64_t labels() const { return labels_; }
  const Row &row(uint32_t size, std::size_t level) const { return rows_[at(size, level)]; }

  // Follows the origins back from the last kernel.
  void trace(uint32_t size, std::size_t level, std::size_t area, uint8_t *choice) const {
    for (uint32_t kernel = paths_.kernels; kernel-- > 0;) {
      choice[kernel] = static_cast<uint8_t>(size);
      if (kernel == 0) return;
      const Origins::Slice &slice = origins_.slices[kernel * rows_.size() + at(size, level)];
      const uint8_t from = origins_.from[slice.offset + area - slice.low];
      area -= paths_.steps[size];
      if (from == kStay) continue;
      if (budget_) --level;
      size = from;
    }
  }

 private:
  std::size_t at(std::size_t size, std::size_t level) const { return size * levels_ + level; }
  bool bounded() const { return window_.limit != kNever; }

  void start(int first) {
    if (keep_) origins_ = {std::vector<Origins::Slice>(paths_.kernels * rows_.size()), {}};
    for (Row &row : rows_) {
      std::fill(row.time.begin(), row.time.end(), kNever);
      row.low = row.high = 0;
    }
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      if (first >= 0 && size != static_cast<uint32_t>(first)) continue;
      Row &row = rows_[at(size, 0)];
      row.low = paths_.steps[size];
      row.high = row.low + 1;
      row.time[row.low] = paths_.micros[size];
      if (!budget_) row.hops[row.low] = 0.0;
      cut(row, 0, size, 0);
    }
  }

  // Levels go downwards, so that the level below still holds the kernel before.
  void step(uint32_t kernel, std::size_t level) {
    const bool move = !budget_ || level > 0;
    std::size_t low = 0, high = 0;
    if (move) pick(budget_ ? level - 1 : level, &low, &high);
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      Row &row = rows_[at(size, level)];
      if (move && low < high) widen(row, low, high);
      if (row.empty()) continue;
      if (keep_) remember(kernel, size, level, row, low, high);
      advance(row, kernel, size, low, high);
      cut(row, kernel, size, level);
    }
  }

  // The cheapest size to come from, for every area. Coming from the same size only wastes a switch.
  void pick(std::size_t level, std::size_t *low, std::size_t *high) {
    *low = least_.size();
    *high = 0;
    for (uint32_t size = 0; size < paths_.sizes; ++size) {
      const Row &row = rows_[at(size, level)];
      if (row.empty()) continue;
      *low = std::min(*low, row.low);
      *high = std::max(*high, row.high);
    }
    if (*low >= *high) return;
    std::fill(least_.begin() + static_cast<std::ptrdiff_t>(*low), least_.begin() + static_cast<std::ptrdiff_t>(*high),
              kNever);
    for (uint32_t size = 0; size < paths_.sizes; ++size) pick_from(rows_[at(size, level)], static_cast<uint8_t>(size));
    if (budget_) return;
    for (std::size_t area = *low; area < *high; ++area) least_[area] += paths_.hop_micros;
    for (std::size_t area = *low; area < *high; ++area) least_hops_[area] += 1.0;
  }

  void pick_from(const Row &row, uint8_t size) {
    if (budget_ && !keep_) {
      // Times alone: a loop that the compiler vectorises.
      for (std::size_t area = row.low; area < row.high; ++area)
        least_[area] = row.time[area] < least_[area] ? row.time[area] : least_[area];
      return;
    }
    for (std::size_t area = row.low; area < row.high; ++area) {
      const bool less = row.time[area] < least_[area];
      if (!budget_) least_hops_[area] = less ? row.hops[area] : least_hops_[area];
      least_[area] = less ? row.time[area] : least_[area];
      origin_[area] = less ? size : origin_[area];
    }
  }

  static void widen(Row &row, std::size_t low, std::size_t high) {
    row.low = row.empty() ? low : std::min(row.low, low);
    row.high = std::max(row.high, high);
  }

  void remember(uint32_t kernel, uint32_t size, std::size_t level, const Row &row, std::size_t low, std::size_t high) {
    Origins::Slice &slice = origins_.slices[kernel * rows_.size() + at(size, level)];
    slice = {row.low + paths_.steps[size], origins_.from.size()};
    for (std::size_t area = row.low; area < row.high; ++area) {
      const bool moved = area >= low && area < high && least_[area] < row.time[area];
      origins_.from.push_back(moved ? origin_[area] : kStay);
    }
  }

  static void shift_up(std::vector<double> &cells, std::size_t low, std::size_t high, std::size_t shift) {
    const auto begin = cells.begin();
    std::copy_backward(begin + static_cast<std::ptrdiff_t>(low), begin + static_cast<std::ptrdiff_t>(high),
                       begin + static_cast<std::ptrdiff_t>(high + shift));
  }

  // Adds the kernel. Areas go downwards: a step moves every label up, in place.
  void advance(Row &row, uint32_t kernel, uint32_t size, std::size_t low, std::size_t high) {
    const double micros = paths_.micros[static_cast<std::size_t>(kernel) * paths_.sizes + size];
    const std::size_t shift = paths_.steps[size];
    for (std::size_t area = low; !budget_ && area < high; ++area)
      row.hops[area] = least_[area] < row.time[area] ? least_hops_[area] : row.hops[area];
    for (std::size_t area = low; area < high; ++area)
      row.time[area] = least_[area] < row.time[area] ? least_[area] : row.time[area];
    for (std::size_t area = row.high; area-- > row.low;) row.time[area + shift] = row.time[area] + micros;
    if (!budget_) shift_up(row.hops, row.low, row.high, shift);
    const auto begin = row.time.begin() + static_cast<std::ptrdiff_t>(row.low);
    std::fill(begin, begin + static_cast<std::ptrdiff_t>(std::min(shift, row.high - row.low)), kNever);
    labels_ += row.high - row.low;
    row.low += shift;
    row.high += shift;
  }

  // Drops the labels that cannot end within the window, and narrows the row to what is left.
  void cut(Row &row, uint32_t kernel, uint32_t size, std::size_t level) {
    if (!bounded()) return;
    const double spent = budget_ ? paths_.hop_micros * static_cast<double>(level) : 0.0;
    const double allowed = window_.limit - spent - future_.after(kernel, size, level);
    std::size_t low = row.high, high = row.low;
    for (std::size_t area = row.low; area < row.high; ++area) {
      if (row.time[area] + window_.price * static_cast<double>(area) <= allowed) {
        low = std::min(low, area);
        high = area + 1;
      } else {
        row.time[area] = kNever;
      }
    }
    row.low = low;
    row.high = high;
    if (row.empty()) row.low = row.high = 0;
  }

  const eclip_paths &paths_;
  const eclip_window &window_;
  bool budget_;
  std::size_t levels_;
  bool keep_;
  eclip::Future future_;
  std::vector<Row> rows_;  // [sizes][levels]
  std::vector<double> least_;
  std::vector<double> least_hops_;
  std::vector<uint8_t> origin_;
  Origins origins_;
  uint64_t labels_ = 0;
};

// Visits every row that ends in a class: visit(class, size, level, toll).
template <typename Visit>
void each_end(const eclip_paths &paths, int first, Visit visit) {
  for (uint32_t size = 0; size < paths.sizes; ++size) {
    const bool wrap = eclip::wraps(paths, first, size);
    if (paths.levels == 0) {
      visit(0u, size, 0u, wrap ? paths.hop_micros : 0.0);
      continue;
    }
    for (uint32_t level = 0; level < paths.levels; ++level) visit(level + wrap, size, level, 0.0);
  }
}

}  // namespace

uint32_t eclip_paths_classes(const eclip_paths *paths) {
  return paths->levels == 0 ? 1 : paths->levels + (paths->circular ? 1 : 0);
}

int64_t eclip_paths_front(const eclip_paths *paths, const eclip_window *window, uint32_t range, double *least,
                          double *hops) {
  std::fill(least, least + static_cast<std::size_t>(eclip_paths_classes(paths)) * range, kNever);
  Front front(*paths, *window, range, false);
  for (int first : eclip::firsts(*paths)) {
    if (!front.run(first)) return -1;
    each_end(*paths, first, [&](uint32_t hop_class, uint32_t size, uint32_t level, double toll) {
      const Row &row = front.row(size, level);
      double *out = least + static_cast<std::size_t>(hop_class) * range;
      for (std::size_t area = row.low; area < row.high; ++area) {
        if (!(row.time[area] + toll < out[area])) continue;
        out[area] = row.time[area] + toll;
        if (paths->levels == 0) hops[area] = row.hops[area] + (toll > 0.0 ? 1.0 : 0.0);
      }
    });
  }
  return static_cast<int64_t>(front.labels());
}

int eclip_paths_trace(const eclip_paths *paths, const eclip_window *window, uint32_t range, uint32_t hops,
                      uint32_t area, uint8_t *choice) {
  double best = kNever;
  Front front(*paths, *window, range, true);
  for (int first : eclip::firsts(*paths)) {
    if (!front.run(first)) return -1;
    each_end(*paths, first, [&](uint32_t hop_class, uint32_t size, uint32_t level, double toll) {
      const Row &row = front.row(size, level);
      if (hop_class != hops || area < row.low || area >= row.high || !(row.time[area] + toll < best)) return;
      best = row.time[area] + toll;
      front.trace(size, level, area, choice);
    });
  }
  return best < kNever ? 0 : -1;
}
