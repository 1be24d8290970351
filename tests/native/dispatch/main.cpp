// One process of the test: `dispatch_test CASE`, where CASE is a release whose table is taken, or why one is not.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "eclip/slot.h"
#include "hip_abi.h"
#include "runtime.h"

namespace eclip {

extern "C" {
Error hipLaunchKernel(const void *, Dim3, Dim3, void **, size_t, Stream);
Error hipLaunchKernelExC(const LaunchConfig *, const void *, void **);
Error hipModuleLaunchKernel(Function, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t, Stream,
                            void **, void **);
}

namespace {

int failures = 0;

void expect(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "not so: %s\n", what);
    ++failures;
  }
}

// The one record of a slot's statistics.
eclip_client statistics(const std::string &slot) {
  eclip_client client{};
  FILE *file = fopen((slot + "/stats").c_str(), "rb");
  if (!file || fseek(file, ECLIP_STATS_HEADER_BYTES, SEEK_SET) != 0 || fread(&client, sizeof client, 1, file) != 1) {
    expect(false, "the slot has statistics");
  }
  if (file) {
    fclose(file);
  }
  return client;
}

void write_file(const std::string &path, const void *head, size_t head_bytes, size_t bytes) {
  FILE *file = fopen(path.c_str(), "wb");
  const bool written = file && fwrite(head, head_bytes, 1, file) == 1;
  if (file) {
    fclose(file);
  }
  expect(written && truncate(path.c_str(), static_cast<off_t>(bytes)) == 0, "the slot can be written");
}

// Without a lookup table: every launch is counted, none moves.
std::string make_slot() {
  std::string slot = "/tmp/eclip-dispatch-XXXXXX";
  expect(mkdtemp(slot.data()) && mkdir((slot + "/config").c_str(), 0755) == 0, "there is a folder for the slot");
  const eclip_stats_header stats{ECLIP_STATS_MAGIC, ECLIP_SLOT_VERSION, ECLIP_CLIENTS, ECLIP_CLIENT_BYTES};
  const eclip_control control{ECLIP_CONTROL_MAGIC, ECLIP_SLOT_VERSION, 0, 0};
  write_file(slot + "/stats", &stats, sizeof stats, ECLIP_STATS_HEADER_BYTES + ECLIP_CLIENTS * ECLIP_CLIENT_BYTES);
  write_file(slot + "/config/control", &control, sizeof control, ECLIP_CONTROL_BYTES);
  setenv("ECLIP_SLOT", slot.c_str(), 1);
  setenv("ECLIP_MODE", "observe", 1);
  return slot;
}

// By symbol, as a program that links the runtime, and by the runtime's own address, as one that gets past the preload.
void launch_both_ways(const stub::Release *release) {
  const Dim3 one{1, 1, 1};
  for (int time = 0; time < 5; ++time) {
    hipLaunchKernel(&failures, one, one, nullptr, 0, nullptr);
    hipModuleLaunchKernel(nullptr, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
  }
  expect(stub::reached("hipLaunchKernel") == 5, "each launch reaches the runtime once");
  expect(stub::reached("hipModuleLaunchKernel") == 5, "each launch of a module reaches the runtime once");
  size_t slot = 0;
#define SLOT(index, name) slot = strcmp(#name, "hipLaunchKernel") == 0 ? (index) : slot;
#include "dispatch_slots.def"
#undef SLOT
  if (!release || slot >= release->slots) {
    return;
  }
  using Launch = decltype(&hipLaunchKernel);
  const auto entry = reinterpret_cast<Launch>(stub::table().slots[slot]);
  for (int time = 0; time < 5; ++time) {
    entry(&failures, one, one, nullptr, 0, nullptr);
  }
  expect(stub::reached("hipLaunchKernel") == 10, "each launch through the table reaches the runtime once");
}

// An earlier tool's.
Error traced_launch(const void *, Dim3, Dim3, void **, size_t, Stream) {
  stub::count("hipLaunchKernel");
  return 0;
}

int run(const std::string &what) {
  const std::string slot = make_slot();
  const stub::Release *release = stub::release(what.c_str());
  uint32_t way = ECLIP_WAY_TABLE;
  stub::Release odd{"", 0, 0};
  if (what == "none") {
    way = ECLIP_WAY_SYMBOLS;
  } else if (what == "profiler") {
    release = stub::release("6.4");
    way = ECLIP_WAY_PROFILER;
    setenv("ROCP_TOOL_LIBRARIES", "libsome_profiler.so", 1);
    setenv("ROCPROFILER_REGISTER_LIBRARY", PROFILER, 1);
  } else if (what == "claimed") {
    release = stub::release("6.4");
    way = ECLIP_WAY_PROFILER;
    stub::claim(reinterpret_cast<void *>(&traced_launch));
  } else if (what == "next-major" || what == "short") {
    odd = what == "short" ? stub::Release{"short", 60400, 200} : stub::Release{"8.0", 80000, stub::most_slots};
    release = &odd;
    way = ECLIP_WAY_OTHER_LAYOUT;
  } else if (!release) {
    fprintf(stderr, "%s: no such case\n", what.c_str());
    return 2;
  }
  stub::start(release);
  launch_both_ways(release);
  const eclip_client client = statistics(slot);
  const uint64_t seen = client.counters[0].launches + client.counters[1].launches;
  expect(client.way == way, "the statistics say how calls come");
  expect((client.table_bytes != 0) == (release != nullptr), "they say what table there was");
  expect(seen == (way == ECLIP_WAY_TABLE ? 15 : 10),
         "each launch is seen once, and through the table where we have it");
  expect(!stub::overrun(), "nothing is written behind the table's end");
  const LaunchConfig config{{1, 1, 1}, {1, 1, 1}, 0, nullptr, nullptr, 0};
  hipLaunchKernelExC(&config, &failures, nullptr);
  expect(stub::reached("hipLaunchKernelExC") == 1, "an entry that the release has or lacks is called all the same");
  std::filesystem::remove_all(slot);
  return failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace eclip

int main(int count, char **arguments) { return eclip::run(count > 1 ? arguments[1] : ""); }
