#include "run.h"

#include <semaphore.h>

#include <functional>
#include <memory>
#include <thread>

#include "player.h"
#include "slot_folder.h"

namespace eclip {

#define CALL(ret, name, params) extern "C" ret name params;
#define REDIRECT(ret, name, params, args) CALL(ret, name, params)
#define PASS(ret, name, params, args, reason) CALL(ret, name, params)
#define OBSERVE(ret, name, params, args) CALL(ret, name, params)
#define WATCH(ret, name, params, args, stream) CALL(ret, name, params)
#define SYNC(ret, name, params, args) CALL(ret, name, params)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "calls.def"
#include "extras.def"
#include "hooks.def"
#include "undef_hooks.h"

namespace order {

namespace {

// One host thread of the program. Operations are handed to it one at a time, so that their order is the program's.
class Worker {
 public:
  Worker() {
    sem_init(&go_, 0, 0);
    sem_init(&done_, 0, 0);
    thread_ = std::thread([this] {
      for (;;) {
        sem_wait(&go_);
        if (!task_) {
          return;
        }
        task_();
        sem_post(&done_);
      }
    });
  }
  ~Worker() {
    task_ = nullptr;
    sem_post(&go_);
    thread_.join();
    sem_destroy(&go_);
    sem_destroy(&done_);
  }
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;
  void run(std::function<void()> task) {
    task_ = std::move(task);
    sem_post(&go_);
    sem_wait(&done_);
  }

 private:
  std::function<void()> task_;
  sem_t go_, done_;
  std::thread thread_;
};

Setting setting_of(const Program &program, uint32_t faults) { return {program.seed, program.version, faults}; }

Trace trace_of(std::vector<Answer> answers) { return {std::move(answers), model().outcomes(), model().complaints()}; }

}  // namespace

const Hip &linked() {
  static const Hip all = {
#define CALL(ret, name, params) &::eclip::name,
#define REDIRECT(ret, name, params, args) CALL(ret, name, params)
#define PASS(ret, name, params, args, reason) CALL(ret, name, params)
#define OBSERVE(ret, name, params, args) CALL(ret, name, params)
#define WATCH(ret, name, params, args, stream) CALL(ret, name, params)
#define SYNC(ret, name, params, args) CALL(ret, name, params)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "calls.def"
#include "extras.def"
#include "hooks.def"
#include "undef_hooks.h"
  };
  return all;
}

Trace run_interposed(const Program &program, SlotFolder &slot) {
  start(setting_of(program, program.faults));
  slot.clear();
  Player player(program, linked(), &slot);
  std::unique_ptr<Worker> workers[most_threads];
  std::vector<Answer> answers(program.ops.size());
  for (size_t at = 0; at < program.ops.size(); ++at) {
    const Op &op = program.ops[at];
    if (op.thread == 0) {
      answers[at] = player.play(at);
    } else if (op.action == Action::leave) {
      workers[op.thread].reset();
      model().end_thread(op.thread);
    } else {
      auto &worker = workers[op.thread];
      if (!worker) {
        worker = std::make_unique<Worker>();
      }
      worker->run([&] { answers[at] = player.play(at); });
    }
  }
  return trace_of(std::move(answers));
}

Trace run_bare(const Program &program, const std::map<size_t, uint64_t> &shadows, const Extra &extra) {
  start(setting_of(program, 0));
  model().shadows = shadows;
  Player player(program, bare(), nullptr);
  std::vector<Answer> answers(program.ops.size());
  for (size_t at = 0; at < program.ops.size(); ++at) {
    const Op &op = program.ops[at];
    if (extra.null[at] || extra.own[at]) {
      model().work({op.thread, at, true}, extra.own[at] ? player.target(op) : nullptr, false);
    }
    if (op.action == Action::leave && op.thread != 0) {
      model().end_thread(op.thread);
    }
    answers[at] = player.play(at);
  }
  return trace_of(std::move(answers));
}

}  // namespace order

}  // namespace eclip
