// The four range functions of roctx, as its ABI has them; they do nothing but count, and give ranges their ids.
#include <atomic>
#include <cstdint>

namespace {
std::atomic<uint64_t> next_range{1};
thread_local int depth = 0;
}  // namespace

extern "C" {
int roctxRangePushA(const char *) { return depth++; }
int roctxRangePop(void) { return --depth; }
uint64_t roctxRangeStartA(const char *) { return next_range++; }
void roctxRangeStop(uint64_t) {}
}
