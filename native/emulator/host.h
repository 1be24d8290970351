/* What the program's own threads do while the emulated GPU works for them: the emulator's thread looks from time to
 * time. Needed where GPU time waits for the host (`virtualTime`). */
#pragma once

#include <cstdint>

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

  Host();
  Look look();
  /* What is spent from now on counts for the next look. */
  void restart();

 private:
  int64_t cpu_ns_;
  int64_t wall_ns_;
};

}  // namespace emulator
