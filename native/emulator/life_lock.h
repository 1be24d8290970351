/* Marks of the living: byte locks of a chip's file. They belong to the open file description, not to a process id, so
 * that clients in different PID namespaces are told apart, and end with the process whichever way that ends. */
#pragma once

#include <cstdint>
#include <string>

namespace emulator {

class LifeLock {
 public:
  LifeLock() = default;
  ~LifeLock();
  LifeLock(const LifeLock &) = delete;
  LifeLock &operator=(const LifeLock &) = delete;

  /* A description of its own: a mapping keeps the one alive that it was made from, also in a child of a fork. */
  void open(const std::string &path);
  bool is_open() const { return fd_ >= 0; }

  /* True if nobody else has the mark; it is ours from now on. */
  bool mark(uint32_t client) const;
  /* True if somebody else has it. */
  bool marked(uint32_t client) const;

  /* One process at a time makes the file or moves in. */
  class Maker {
   public:
    explicit Maker(const LifeLock &lock);
    ~Maker();
    Maker(const Maker &) = delete;
    Maker &operator=(const Maker &) = delete;

   private:
    const LifeLock &lock_;
  };

 private:
  int fd_ = -1;
};

}  // namespace emulator
