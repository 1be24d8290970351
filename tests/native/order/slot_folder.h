// A slot folder as a node keeps it (core/eclip/slot): tables beside a control page that says which one is in force.
#pragma once

#include <string>

#include "eclip/slot.h"
#include "program.h"

namespace eclip::order {

class SlotFolder {
 public:
  // Makes the folder and its files; throws std::runtime_error where the file system refuses.
  explicit SlotFolder(std::string path);
  ~SlotFolder();
  SlotFolder(const SlotFolder &) = delete;
  SlotFolder &operator=(const SlotFolder &) = delete;

  const std::string &path() const { return path_; }
  void clear();  // as new: no table in force, none counted
  void publish(const Table &table);
  void withdraw();
  void set_active(uint64_t bits);

 private:
  const std::string path_;
  eclip_control *control_ = nullptr;
  uint64_t last_ = 0;
};

}  // namespace eclip::order
