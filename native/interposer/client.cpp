#include "client.h"

#include <pthread.h>

#include <mutex>

namespace eclip {

namespace {

pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
pthread_key_t thread_key;

// The calls without which nothing can be redirected or measured; every HIP from 5.2 on has them.
bool usable(const Runtime &runtime) {
  return runtime.hipEventCreateWithFlags && runtime.hipEventDestroy && runtime.hipEventRecord &&
         runtime.hipEventElapsedTime && runtime.hipEventQuery && runtime.hipStreamWaitEvent &&
         runtime.hipExtStreamCreateWithCUMask && runtime.hipExtStreamGetCUMask && runtime.hipGetDevice &&
         runtime.hipGetDeviceCount && runtime.hipGetStreamDeviceId && runtime.hipDeviceGetAttribute &&
         runtime.hipGetLastError && runtime.hipRuntimeGetVersion && runtime.hipStreamGetFlags &&
         runtime.hipStreamGetPriority && runtime.hipStreamQuery && runtime.hipStreamSynchronize &&
         runtime.hipStreamDestroy && runtime.hipExtLaunchKernel;
}

// All that a program which is left alone does: it says so in its slot. `hooks`: 0 where the user wants it so, else what
// there is of a runtime that lacks calls. Leaked: the record is ours as long as the process lives.
void sign_off(const Options &options, uint32_t hooks) {
  if (options.slot.empty()) {
    return;
  }
  auto *stats = new Stats;
  std::string why;
  stats->open(options.slot + "/stats", why);
  put(stats->client().hooks, hooks);
  put(stats->client().mode, ECLIP_OFF);
}

}  // namespace

std::atomic<Client *> Client::instance{nullptr};
std::atomic<bool> Client::inert{false};
std::atomic<uint32_t> Client::way{ECLIP_WAY_SYMBOLS};
std::atomic<uint32_t> Client::table_bytes{0};
__thread Local local __attribute__((tls_model("initial-exec"), visibility("hidden"))) = {0, nullptr};

Client::Client(Options from_environment)
    : options(std::move(from_environment)),
      kernels(options.deny),
      streams(options, stats),
      slot(options.slot, options.single_mask, stats, [this](const std::string &name) { return kernels.intern(name); }),
      profiler(options.slot + "/profile", kernels, streams, stats) {
  std::string why;
  stats.open(options.slot.empty() ? "" : options.slot + "/stats", why);
  if (!why.empty()) {
    say(why + "; nobody will see this program's statistics");
  }
  put(stats.client().mode, options.single_mask ? ECLIP_SINGLE_MASK : options.mode);
}

// HIP cannot be used in the child of a process that has used it, and our locks may be held by threads it does not have.
void Client::after_fork_in_child() {
  inert.store(true, std::memory_order_relaxed);
  local.thread = nullptr;
}

void Client::end_thread(void *data) {
  auto *thread = static_cast<Thread *>(data);
  Client *client = instance.load(std::memory_order_acquire);
  if (client && !inert.load(std::memory_order_relaxed)) {
    client->streams.thread_ends(thread->streams);
    delete thread;
  }
  local.thread = nullptr;
}

Client *Client::make(const Runtime &runtime) {
  pthread_mutex_lock(&making);
  Client *client = instance.load(std::memory_order_relaxed);
  if (!client && !inert.load(std::memory_order_relaxed)) {
    Options options = options_from_environment();
    if (options.mode == ECLIP_OFF || !usable(runtime)) {
      sign_off(options, options.mode == ECLIP_OFF ? 0 : runtime.found);
      inert.store(true, std::memory_order_relaxed);
    } else {
      pthread_key_create(&thread_key, end_thread);
      pthread_atfork(nullptr, nullptr, after_fork_in_child);
      client = new Client(std::move(options));
      instance.store(client);
      tell_way(client);
    }
  }
  pthread_mutex_unlock(&making);
  return client;
}

void Client::came_by(eclip_way found, size_t bytes) {
  table_bytes.store(static_cast<uint32_t>(bytes));
  way.store(found);
  tell_way(instance.load());
}

void Client::tell_way(Client *client) {
  if (client) {
    put(client->stats.client().table_bytes, table_bytes.load());
    put(client->stats.client().way, way.load());
  }
}

Thread &Client::make_thread() {
  local.thread = new Thread;
  pthread_setspecific(thread_key, local.thread);
  return *local.thread;
}

}  // namespace eclip
