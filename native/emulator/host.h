/* What the program's own threads do while the emulated GPU works for them: the emulator's thread looks from time to
 * time. Needed where GPU time waits for the host (`virtualTime`). */
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <vector>

namespace emulator {

class Host {
 public:
  enum class State {
    running, /* a thread computes, or would if it had a core */
    timed,   /* all sleep, one of them until a moment of the wall clock */
    waiting  /* all sleep until somebody else wakes them */
  };
  struct Look {
    State state;
    double micros; /* since the last look: computed, all threads together; slept, if timed; 0 if waiting */
  };

  /* Throws std::runtime_error where threads cannot be looked at. */
  Host();
  ~Host();
  Host(const Host &) = delete;
  Host &operator=(const Host &) = delete;

  Look look();
  /* What is spent from now on counts for the next look. */
  void restart();

 private:
  struct Thread {
    pid_t id;
    clockid_t clock; /* of its CPU time */
    int call;        /* the file that tells what it sleeps in */
    int64_t cpu_ns;
  };

  bool follow_threads();
  int64_t computed_ns();
  State state() const;

  int folder_;
  std::vector<Thread> threads_; /* all but the emulator's own */
  unsigned long links_ = 0;     /* of the folder when they were listed */
  int64_t wall_ns_ = 0;
};

}  // namespace emulator
