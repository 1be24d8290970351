/* One process's hold on a chip. All processes play the same chip forward, each with its own thread, and none passes a
 * moment at which another one has to act: so the times of all kernels are exact, whichever process did the playing and
 * however late it was. A process that is dead loses its kernels at once; one that is stopped is passed over after a
 * while. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chip_file.h"
#include "clock.h"
#include "config.h"
#include "life_lock.h"

namespace emulator {

struct Finished {
  uint32_t ticket;
  double begin;
  double end;
};

class Chip {
 public:
  /* Maps the chip's file, or makes one. Throws std::runtime_error. */
  Chip(const GpuConfig &gpu, double time_scale, bool virtual_time);
  Chip(const Chip &) = delete;
  Chip &operator=(const Chip &) = delete;

  const GpuClock &clock() const { return clock_; }
  bool virtual_time() const { return file_->summary.virtual_time != 0; }
  /* GPU time now: by the wall clock, or as far as the chip has been played. */
  double micros() const;
  uint32_t compute_units() const { return file_->parameters.compute_units; }
  const eclip_chip &parameters() const { return file_->parameters; }

  /* Everything below that changes the chip is done through a turn: it holds the lock, and wakes on its way out those
   * whom it concerns. */
  class Turn {
   public:
    explicit Turn(Chip &chip);
    ~Turn();
    Turn(const Turn &) = delete;
    Turn &operator=(const Turn &) = delete;

    /* Plays the chip forward, up to the wall clock (unless time is virtual) or the first moment at which somebody has
     * to act. */
    double advance();
    double now() const;
    /* Launches a kernel at `begin`, or now if that is past. no_ticket: the chip is full. */
    uint32_t launch(uint32_t use, const eclip_load &load, double begin);
    void take_finished(std::vector<Finished> &into);
    /* This process acts at `moment`, whatever happens before it. */
    void hold(double moment);
    /* When this process has to act next, as far as can be told. */
    double due() const;
    void sleep_until(double moment);

    uint32_t open_queue(uint32_t number); /* UINT32_MAX: no place left */
    void close_queue(uint32_t use);
    void set_busy(uint32_t use, bool busy);
    bool resident(uint32_t use) const;
    double launch_cost(uint32_t use);
    void count(uint32_t use, PacketKind kind);
    void stall(double micros); /* a queue's mask is being set */
    bool take_vram(uint64_t bytes, uint64_t limit);
    void give_vram(uint64_t bytes);

   private:
    Chip &chip_;
    ChipFile &file_;
  };

  /* Sleeps until `wall_ns` (CLOCK_BOOTTIME) or till another process or thread has news. */
  void sleep(int64_t wall_ns);
  void wake(); /* from any thread of this process */
  /* Another process or thread has woken this one since its last turn. */
  bool has_news() const { return file_->clients[self_].wake.load(std::memory_order_relaxed) != seen_wake_; }
  /* Whoever plays has to see from time to time who is dead. */
  bool burial_is_due() const;
  uint32_t clients() const { return file_->summary.clients; }

 private:
  void open_file(const std::string &path);
  void prepare(const GpuConfig &gpu, double time_scale, bool virtual_time);
  void move_in(const GpuConfig &gpu, double time_scale, bool virtual_time);
  void claim_client();
  void lock();
  void unlock();
  bool is_alive(uint32_t client) const;
  void bury(uint32_t client);
  void bury_dead();
  void repair();

  double holding(uint32_t &holder) const;
  bool pass_over(uint32_t holder);
  bool start_pending();
  void finish(uint64_t fluid_id);
  void run(Ticket &ticket);
  void keep_remaining(Ticket &ticket);
  void pause(Ticket &ticket);
  void free_ticket(uint32_t ticket);
  void drop(uint32_t ticket);
  bool rotate();
  void reside();
  void move_tickets();
  double next_pending() const;
  bool waits_for_slot(uint32_t client) const;
  double due_of(uint32_t client) const;
  void note_wakes();
  void release_queue(uint32_t use);
  void count_in_use();

  LifeLock life_;
  ChipFile *file_ = nullptr;
  uint32_t self_ = 0;
  GpuClock clock_{0, 1};
  bool changed_ = false; /* rates may have changed in this turn */
  uint64_t wakes_ = 0;   /* clients to wake after this turn, as bits */
  int64_t last_burial_ = 0;
  uint32_t seen_wake_ = 0; /* value of the futex when the last turn began */
};

}  // namespace emulator
