#include "serve.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include "kernels.h"
#include "lane.h"
#include "options.h"
#include "pace.h"
#include "reference.h"
#include "report.h"
#include "variants.h"

namespace workloads {

namespace {

std::atomic<bool> stopped{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set in a signal handler");

void on_signal(int) { stopped.store(true); }

struct Served {
  uint64_t request;
  uint64_t checksum;
};

// One of the `share` threads that serve one model. Each takes the next request, so that the requests served are always
// the first ones, whenever the program is stopped.
struct Server {
  const Model *model;
  uint32_t batch;
  unsigned thread, share;
  std::shared_ptr<std::atomic<uint64_t>> next;
  std::unique_ptr<Lane> lane;
  std::unique_ptr<Issuer> issuer;
  std::vector<Served> served;
  Outcome outcome;
};

bool more(const Server &server, const Options &options, Clock::time_point start) {
  if (stopped.load(std::memory_order_relaxed)) return false;
  if (options.requests && server.next->load() >= options.requests) return false;
  return options.seconds <= 0 || std::chrono::duration<double>(Clock::now() - start).count() < options.seconds;
}

// Sleeps to the due time, but not past a stop: in slices, since a signal wakes only one thread.
void sleep_until(Clock::time_point due) {
  while (!stopped.load(std::memory_order_relaxed) && Clock::now() < due)
    std::this_thread::sleep_until(std::min(due, Clock::now() + std::chrono::milliseconds(20)));
}

void loop(Server &server, const Options &options, Clock::time_point start) {
  Pace pace(options, server.thread, server.share, start);
  while (more(server, options, start)) {
    const Clock::time_point due = pace.next();
    sleep_until(due);
    if (!more(server, options, start)) break;
    const uint64_t request = server.next->fetch_add(1);
    if (options.requests && request >= options.requests) break;
    server.lane->set_input(request % kInputs);
    server.issuer->run();
    const Clock::time_point now = Clock::now();
    server.outcome.missed_periods += pace.finished(due, now);
    server.outcome.latencies.push_back(std::chrono::duration<double, std::micro>(now - due).count());
    server.served.push_back({request, server.lane->checksum()});
  }
  server.outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
}

// After the run, so that the host's part does not slow the device's down.
void verify(Server &server) {
  Reference reference(*server.model, server.batch);
  for (const Served &served : server.served) {
    server.outcome.checksum += folded(served.request, served.checksum);
    server.outcome.mismatches += served.checksum != reference.checksum(served.request);
  }
}

std::vector<Server> make_servers(const std::vector<const Model *> &models, const Options &options) {
  std::vector<Server> servers;
  for (const Model *model : models) {
    // Training changes its parameters from step to step: one thread only.
    const unsigned share = model->stateful ? 1 : variant_threads(options.variant);
    const auto next = std::make_shared<std::atomic<uint64_t>>(0);
    const uint32_t batch = options.batch ? options.batch : model->batch;
    for (unsigned thread = 0; thread < share; ++thread)
      servers.push_back({model, batch, thread, share, next, {}, {}, {}, {}});
  }
  return servers;
}

void run(std::vector<Server> &servers, const Options &options) {
  for (Server &server : servers) {
    server.lane = std::make_unique<Lane>(*server.model, server.batch);
    server.issuer = make_issuer(options.variant, *server.lane);
  }
  const Clock::time_point start = Clock::now();
  std::vector<std::thread> threads;
  for (size_t i = 1; i < servers.size(); ++i) threads.emplace_back([&, i] { loop(servers[i], options, start); });
  loop(servers[0], options, start);
  for (std::thread &thread : threads) thread.join();
  for (Server &server : servers) {
    server.issuer.reset();
    server.lane.reset();
    verify(server);
  }
}

void refer(std::vector<Server> &servers, const Options &options) {
  for (Server &server : servers) {
    Reference reference(*server.model, server.batch);
    for (uint64_t request = server.thread; request < options.requests; request += server.share) {
      server.outcome.checksum += folded(request, reference.checksum(request));
      server.outcome.latencies.push_back(0);
    }
  }
}

void list(const std::vector<const Model *> &models, const Options &options) {
  std::printf("function,grid_x,grid_y,grid_z,block,m,n,k,z,taps,stride,in0,in1,out\n");
  for (const Model *model : models) {
    for (const Launch &l : sequence(*model, options.batch ? options.batch : model->batch)) {
      const FunctionTraits &t = traits(l.function);
      const Arguments &a = l.arguments;
      std::printf("%s,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u,%u\n", t.name, l.grid[0], l.grid[1], l.grid[2], t.block, a.m,
                  a.n, a.k, a.z, a.taps, a.stride, l.in0, l.in1, l.out);
    }
  }
}

// One line a model where there are several, and last the program as a whole.
Outcome print(const char *name, const std::vector<const Model *> &models, const std::vector<Server> &servers) {
  Outcome total;
  for (const Model *model : models) {
    Outcome outcome;
    for (const Server &server : servers)
      if (server.model == model) outcome.add(server.outcome);
    if (models.size() > 1) std::printf("%s\n", json(model->name, outcome).c_str());
    total.add(outcome);
  }
  std::printf("%s\n", json(name, total).c_str());
  std::fflush(stdout);
  return total;
}

}  // namespace

int serve(const char *name, const std::vector<const Model *> &models, int argc, char **argv) {
  const Options options = parse_options(argc, argv);
  if (options.list) {
    list(models, options);
    return 0;
  }
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::vector<Server> servers = make_servers(models, options);
  if (options.reference)
    refer(servers, options);
  else
    run(servers, options);
  return print(name, models, servers).mismatches ? 1 : 0;
}

}  // namespace workloads
