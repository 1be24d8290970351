// Variants that launch by other entry points than hipLaunchKernel.
#include <hip/hip_ext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "issuers.h"
#include "kernels.h"

namespace workloads {

namespace {

// hipExtLaunchKernel; every fourth kernel between a start and a stop event, whose times are read in the end.
class Ext : public Issuer {
 public:
  explicit Ext(Lane &lane) : Issuer(lane), starts_((lane.count() + 3) / 4), stops_(starts_.size()) {
    for (auto *events : {&starts_, &stops_})
      for (hipEvent_t &event : *events) check(hipEventCreate(&event), "hipEventCreate");
  }
  ~Ext() override {
    for (auto *events : {&starts_, &stops_})
      for (hipEvent_t event : *events) check(hipEventDestroy(event), "hipEventDestroy");
  }

  void run() override {
    Issuer::run();
    for (size_t i = 0; i < starts_.size(); ++i) {
      float millis = -1;
      // The stream is done, but HIP learns that a dispatch's own event is only when asked for it.
      check(hipEventSynchronize(stops_[i]), "hipEventSynchronize");
      check(hipEventElapsedTime(&millis, starts_[i], stops_[i]), "hipEventElapsedTime");
      if (millis < 0) check(hipErrorUnknown, "hipEventElapsedTime: negative kernel time");
    }
  }

 protected:
  void launch(size_t i) override {
    const Launch &launch = lane_.launch(i);
    const FunctionTraits &t = traits(launch.function);
    void *arguments[] = {&lane_.arguments(i)};
    const bool timed = i % 4 == 0;
    check(hipExtLaunchKernel(t.host, dim3(launch.grid[0], launch.grid[1], launch.grid[2]), dim3(t.block), arguments, 0,
                             stream(i), timed ? starts_[i / 4] : nullptr, timed ? stops_[i / 4] : nullptr, 0),
          t.name);
  }

 private:
  std::vector<hipEvent_t> starts_, stops_;
};

std::string beside_program(const char *file) {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length < 0) return file;
  const std::string program(path, size_t(length));
  return program.substr(0, program.rfind('/') + 1) + file;
}

// Kernels of a code object file that lies beside the program, as libraries ship theirs.
class FromModule : public Issuer {
 public:
  explicit FromModule(Lane &lane) : Issuer(lane), functions_(k_count) {
    const std::string file = beside_program("workload_kernels.hsaco");
    check(hipModuleLoad(&module_, file.c_str()), file.c_str());
  }
  ~FromModule() override { check(hipModuleUnload(module_), "hipModuleUnload"); }

 protected:
  void launch(size_t i) override {
    const Launch &launch = lane_.launch(i);
    const FunctionTraits &t = traits(launch.function);
    hipFunction_t &function = functions_[launch.function];
    if (!function) check(hipModuleGetFunction(&function, module_, t.name), t.name);
    void *arguments[] = {&lane_.arguments(i)};
    check(hipModuleLaunchKernel(function, launch.grid[0], launch.grid[1], launch.grid[2], t.block, 1, 1, 0, stream(i),
                                arguments, nullptr),
          t.name);
  }

 private:
  hipModule_t module_ = nullptr;
  std::vector<hipFunction_t> functions_;
};

// The whole request as a graph, captured once.
class Graph : public Issuer {
 public:
  explicit Graph(Lane &lane) : Issuer(lane) {
    check(hipStreamCreateWithFlags(&stream_, hipStreamNonBlocking), "hipStreamCreateWithFlags");
    check(hipStreamBeginCapture(stream_, hipStreamCaptureModeThreadLocal), "hipStreamBeginCapture");
    for (size_t i = 0; i < lane.count(); ++i) Issuer::launch(i);
    check(hipStreamEndCapture(stream_, &graph_), "hipStreamEndCapture");
    check(hipGraphInstantiate(&executable_, graph_, nullptr, nullptr, 0), "hipGraphInstantiate");
  }
  ~Graph() override {
    check(hipGraphExecDestroy(executable_), "hipGraphExecDestroy");
    check(hipGraphDestroy(graph_), "hipGraphDestroy");
    check(hipStreamDestroy(stream_), "hipStreamDestroy");
  }

  void run() override {
    lane_.copy_in(stream_);
    check(hipGraphLaunch(executable_, stream_), "hipGraphLaunch");
    lane_.copy_out(stream_);
    check(hipStreamSynchronize(stream_), "hipStreamSynchronize");
  }

 protected:
  hipStream_t stream(size_t) const override { return stream_; }

 private:
  hipStream_t stream_ = nullptr;
  hipGraph_t graph_ = nullptr;
  hipGraphExec_t executable_ = nullptr;
};

}  // namespace

std::unique_ptr<Issuer> by_ext_launch(Lane &lane) { return std::make_unique<Ext>(lane); }
std::unique_ptr<Issuer> by_module_launch(Lane &lane) { return std::make_unique<FromModule>(lane); }
std::unique_ptr<Issuer> by_graph(Lane &lane) { return std::make_unique<Graph>(lane); }

}  // namespace workloads
