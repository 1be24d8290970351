#include "model.h"

namespace eclip::order {

namespace {

std::string text_of(const Capture &capture) {
  std::string text;
  for (const Node &node : capture.nodes) {
    text += std::to_string(node.op) + "(";
    for (size_t op = 0; op < most_ops; ++op) {
      text += node.after[op] ? std::to_string(op) + " " : "";
    }
    text += ")";
  }
  return text;
}

}  // namespace

bool Model::blocking_capture() const {
  for (const auto &capture : captures_) {
    if (capture->blocking) {
      return true;
    }
  }
  return false;
}

Error Model::begin_capture(const Caller &caller, Stream handle, int mode) {
  StreamState *on = stream(caller, handle);
  if (!on) {
    return invalid_handle;
  }
  if (on->kind == StreamState::Kind::Null || on->capture) {
    return capture_unsupported;
  }
  on->capture = std::make_shared<Capture>();
  on->capture->origin = on->id;
  on->capture->thread = caller.thread;
  on->capture->mode = mode;
  on->capture->blocking = on->blocking();
  on->leaves.reset();
  captures_.insert(on->capture);
  return hip::success;
}

Error Model::end_capture(const Caller &caller, Stream handle, uint64_t &graph) {
  StreamState *on = stream(caller, handle);
  graph = 0;
  if (!on || !on->capture || on->capture->origin != on->id) {
    return on ? capture_unmatched : invalid_handle;
  }
  const std::shared_ptr<Capture> capture = on->capture;
  Ops joined = on->leaves;
  for (size_t at = capture->nodes.size(); at-- > 0;) {
    joined |= joined[capture->nodes[at].op] ? capture->nodes[at].after : Ops();
  }
  const bool whole = joined.count() == capture->nodes.size();
  leave_capture(capture);
  if (capture->invalid) {
    return capture_invalidated;
  }
  if (!whole) {
    return capture_unjoined;
  }
  graphs_.push_back(text_of(*capture));
  outcome(caller).graph = graphs_.back();
  graph = graphs_.size();
  return hip::success;
}

void Model::leave_capture(std::shared_ptr<Capture> capture) {
  for (auto &entry : streams_) {
    if (entry.second.capture == capture) {
      entry.second.capture = nullptr;
    }
  }
  for (auto &entry : per_thread_) {
    if (entry.second.capture == capture) {
      entry.second.capture = nullptr;
    }
  }
  captures_.erase(capture);
}

Error Model::capturing(const Caller &caller, Stream handle, bool &active) {
  active = false;
  StreamState *on = stream(caller, handle);
  if (!on) {
    return invalid_handle;
  }
  if (on->kind == StreamState::Kind::Null && blocking_capture()) {
    return capture_implicit;
  }
  active = on->capture != nullptr;
  return hip::success;
}

// --- last errors

// Up to 6.x the last call's result, whatever it was; from 7 on the last that was an error, until it is read.
Error Model::returns(int thread, Error error) {
  Error &last = last_errors_[thread];
  if (version_ < 70000000 || (error != hip::success && error != hip::error_not_ready)) {
    last = error;
  }
  return error;
}

Error Model::last_error(int thread) {
  Error &last = last_errors_[thread];
  const Error error = last;
  last = hip::success;
  return error;
}

}  // namespace eclip::order
