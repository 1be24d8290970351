#include "player.h"

#include <algorithm>
#include <type_traits>

#include "slot_folder.h"

namespace eclip::order {

namespace {

// An entry that puts something on a stream, called with nothing but that.
using WorkEntry = Error (*)(const Hip &, Stream);

template <auto Entry, class... Parameters>
Error call_work(const Hip &hip, Stream stream, Error (*)(Parameters...)) {
  const auto give = [stream](auto value) {
    if constexpr (std::is_same_v<decltype(value), Stream>) {
      return stream;
    } else {
      return value;
    }
  };
  return (hip.*Entry)(give(Parameters{})...);
}

template <auto Entry>
Error work_by(const Hip &hip, Stream stream) {
  return call_work<Entry>(hip, stream, hip.*Entry);
}

// Not those of events: they are operations of their own.
const std::vector<WorkEntry> &work_entries() {
  static const std::vector<WorkEntry> all = {
#define CALL(ret, name, params)
#define REDIRECT(ret, name, params, args)
#define PASS(ret, name, params, args, reason)
#define OBSERVE(ret, name, params, args)
#define WATCH(ret, name, params, args, stream) \
  std::string(#name).find("Event") == std::string::npos ? &work_by<&Hip::name> : nullptr,
#define SYNC(ret, name, params, args)
#define MARK(ret, name, params, args)
#define LOADER(ret, name, params, args)
#include "hooks.def"
#include "undef_hooks.h"
  };
  return all;
}

constexpr int unlisted_version = 50300000;

}  // namespace

Answer Player::play(size_t at) {
  const Op &op = program_.ops[at];
  answer_ = Answer();
  now_ = {Kind::Other, op.thread, at, op.extra == 1};
  switch (op.action) {
    case Action::create: create(op); break;
    case Action::destroy: destroy(op); break;
    case Action::event: create_event(op); break;
    case Action::drop: drop_event(op); break;
    case Action::launch: launch(op); break;
    case Action::pass:
      call(Kind::Launch, op.way == 1 ? hip_.hipLaunchCooperativeKernel_spt : hip_.hipLaunchCooperativeKernel,
           kernel_pointer(0), Dim3{1, 1, 1}, Dim3{64, 1, 1}, nullptr, 0u, stream(op));
      break;
    case Action::work: work(op); break;
    case Action::record: record(op); break;
    case Action::wait: wait(op); break;
    default: host(op);
  }
  return answer_;
}

void Player::create(const Op &op) {
  if (alive(op)) {
    return;
  }
  Stream *into = &streams_[op.stream];
  const uint32_t mask[2] = {0xff, 0};
  switch (op.way) {
    case 1: call(Kind::CreateStream, hip_.hipStreamCreateWithFlags, into, 1u); break;
    case 2: call(Kind::CreateStream, hip_.hipStreamCreateWithFlags, into, 0u); break;
    case 3: call(Kind::CreateStream, hip_.hipStreamCreateWithPriority, into, 1u, -1); break;
    case 4: call(Kind::CreateStream, hip_.hipStreamCreateWithPriority, into, 0u, -1); break;
    case 5: call(Kind::CreateStream, hip_.hipExtStreamCreateWithCUMask, into, 2u, mask); break;
    default: call(Kind::CreateStream, hip_.hipStreamCreate, into);
  }
}

void Player::destroy(const Op &op) {
  if (op.stream >= own_streams && alive(op)) {
    call(Kind::DestroyStream, hip_.hipStreamDestroy, streams_[op.stream]);
    streams_[op.stream] = nullptr;
  }
}

void Player::create_event(const Op &op) {
  if (!events_[op.item]) {
    call(Kind::CreateEvent, hip_.hipEventCreateWithFlags, &events_[op.item], 0u);
  }
}

void Player::drop_event(const Op &op) {
  if (events_[op.item]) {
    call(Kind::DestroyEvent, hip_.hipEventDestroy, events_[op.item]);
    events_[op.item] = nullptr;
  }
}

Function Player::function(int kernel) const {
  for (const auto &functions : functions_) {
    if (functions[kernel]) {
      return functions[kernel];
    }
  }
  return nullptr;
}

void Player::launch(const Op &op) {
  const int kernel = op.item % 8;
  const int shape = op.item / 8;
  const Dim3 grid{shape == 1 ? 2u : 1u, 1, 1};
  const Dim3 block{shape == 2 ? 2000u : 64u, 1, 1};
  const uint32_t shared = shape == 3 ? 1u << 20 : 0;
  const Event stop = op.extra >= 0 ? events_[op.extra] : nullptr;
  const Function handle = function(kernel);
  const void *pointer = kernel_pointer(static_cast<size_t>(kernel));
  const bool modern = program_.version >= 70000000;
  if (handle && (op.way == 2 || op.way == 5 || op.way == 7 || op.way >= 8)) {
    launch_handle(op, handle, grid, block, shared, stop);
  } else if (modern && handle && op.way == 6) {
    const DriverLaunchConfig config{grid.x, 1, 1, block.x, 1, 1, shared, stream(op), nullptr, 0};
    call(Kind::Launch, hip_.hipDrvLaunchKernelEx, &config, handle, nullptr, nullptr);
  } else if (modern && op.way == 4) {
    const LaunchConfig config{grid, block, shared, stream(op), nullptr, 0};
    call(Kind::Launch, hip_.hipLaunchKernelExC, &config, pointer, nullptr);
  } else if (op.way == 3) {
    call(Kind::Launch, hip_.hipLaunchKernel_spt, pointer, grid, block, nullptr, size_t{shared}, stream(op));
  } else if (op.way == 1 || stop) {
    call(Kind::Launch, hip_.hipExtLaunchKernel, pointer, grid, block, nullptr, size_t{shared}, stream(op), nullptr,
         stop, 0);
  } else {
    call(Kind::Launch, hip_.hipLaunchKernel, pointer, grid, block, nullptr, size_t{shared}, stream(op));
  }
}

void Player::launch_handle(const Op &op, Function handle, Dim3 grid, Dim3 block, uint32_t shared, Event stop) {
  const uint32_t items = grid.x * block.x;
  const auto mangled =
      hip_._Z24hipExtModuleLaunchKernelP18ihipModuleSymbol_tjjjjjjmP12ihipStream_tPPvS4_P11ihipEvent_tS6_j;
  if (op.way == 2 || stop) {
    call(Kind::Launch, mangled, handle, items, 1u, 1u, block.x, 1u, 1u, size_t{shared}, stream(op), nullptr, nullptr,
         nullptr, stop, 0u);
  } else if (op.way == 7) {
    call(Kind::Launch, hip_.hipHccModuleLaunchKernel, handle, items, 1u, 1u, block.x, 1u, 1u, size_t{shared},
         stream(op), nullptr, nullptr, nullptr, stop);
  } else if (op.way == 8) {
    call(Kind::Launch, hip_.hipExtModuleLaunchKernel, handle, items, 1u, 1u, block.x, 1u, 1u, size_t{shared},
         stream(op), nullptr, nullptr, nullptr, stop, 0u);
  } else {
    call(Kind::Launch, hip_.hipModuleLaunchKernel, handle, grid.x, 1u, 1u, block.x, 1u, 1u, shared, stream(op), nullptr,
         nullptr);
  }
}

void Player::work(const Op &op) {
  const auto &entries = work_entries();
  const auto number = static_cast<size_t>(op.item) % (entries.size() + 2);
  now_.kind = Kind::Work;
  set_now(now_);
  answer_.made = true;
  if (number < entries.size() && entries[number]) {
    answer_.error = entries[number](hip_, stream(op));
  } else if (number == entries.size() && program_.version >= unlisted_version && op.stream != 1) {
    answer_.error = hip_.hipMemsetD2D8Async(nullptr, 0, 0, 0, 0, stream(op));
  } else {
    answer_.error = hip_.hipMemset(nullptr, 0, 0);
  }
  set_now({});
}

void Player::record(const Op &op) {
  const Event event = events_[op.item];
  if (!event) {
    return;
  }
  if (op.way == 1) {
    call(Kind::Record, hip_.hipEventRecord_spt, event, stream(op));
  } else if (op.way == 2 && program_.version >= unlisted_version) {
    call(Kind::Record, hip_.hipEventRecordWithFlags, event, stream(op), 0u);
  } else {
    call(Kind::Record, hip_.hipEventRecord, event, stream(op));
  }
}

void Player::wait(const Op &op) {
  const Event event = events_[op.item];
  if (event) {
    call(Kind::Wait, op.way == 1 ? hip_.hipStreamWaitEvent_spt : hip_.hipStreamWaitEvent, stream(op), event, 0u);
  }
}

void Player::host(const Op &op) {
  switch (op.action) {
    case Action::sync:
      if (alive(op)) {
        call(Kind::Synchronize, op.way == 1 ? hip_.hipStreamSynchronize_spt : hip_.hipStreamSynchronize, stream(op));
      }
      break;
    case Action::query:
      if (alive(op)) {
        call(Kind::Query, op.way == 1 ? hip_.hipStreamQuery_spt : hip_.hipStreamQuery, stream(op));
        answer_.open = op.extra != 1;
      }
      break;
    case Action::sync_event:
      if (events_[op.item]) {
        call(Kind::SynchronizeEvent, hip_.hipEventSynchronize, events_[op.item]);
      }
      break;
    case Action::query_event:
      if (events_[op.item]) {
        call(Kind::QueryEvent, hip_.hipEventQuery, events_[op.item]);
        answer_.open = op.extra != 1;
      }
      break;
    case Action::sync_device:
      if (op.way == 1) {
        call(Kind::SynchronizeDevice, hip_.hipFree, nullptr);
      } else {
        call(Kind::SynchronizeDevice, hip_.hipDeviceSynchronize);
      }
      break;
    case Action::copy:
      if (op.way == 1) {
        call(Kind::Copy, hip_.hipMemcpyDtoH, nullptr, nullptr, size_t{0});
      } else {
        call(Kind::Copy, hip_.hipMemcpy, nullptr, nullptr, size_t{0}, 0);
      }
      break;
    case Action::last_error:
      call(Kind::Other, hip_.hipGetLastError);
      answer_.open = last_open_[op.thread];
      break;
    default: rare(op);
  }
  last_open_[op.thread] = answer_.made ? answer_.open : last_open_[op.thread];
}

void Player::rare(const Op &op) {
  switch (op.action) {
    case Action::begin: begin_capture(op); break;
    case Action::end:
      if (alive(op)) {
        call(Kind::EndCapture, op.extra == 1 ? hip_.hipStreamEndCapture_spt : hip_.hipStreamEndCapture, stream(op),
             &graphs_[op.item]);
      }
      break;
    case Action::instantiate:
      call(Kind::Instantiate, hip_.hipGraphInstantiate, &execs_[op.item % most_graphs], graphs_[op.item % most_graphs],
           nullptr, nullptr, size_t{0});
      break;
    case Action::graph:
      if (execs_[op.item % most_graphs]) {
        call(Kind::LaunchGraph, op.way == 1 ? hip_.hipGraphLaunch_spt : hip_.hipGraphLaunch,
             execs_[op.item % most_graphs], stream(op));
      }
      break;
    case Action::reset:
      call(Kind::Reset, hip_.hipDeviceReset);
      for (int stream = own_streams; stream < most_streams; ++stream) {
        streams_[stream] = nullptr;
      }
      break;
    case Action::load: load(op); break;
    case Action::unload:
      if (modules_[op.item]) {
        call(Kind::Unload, hip_.hipModuleUnload, modules_[op.item]);
        modules_[op.item] = nullptr;
        std::fill(functions_[op.item], functions_[op.item] + kernel_count, nullptr);
      }
      break;
    case Action::swap:
      if (slot_) {
        swap(op.item);
      }
      break;
    case Action::active:
      if (slot_) {
        slot_->set_active(static_cast<uint64_t>(op.item));
      }
      break;
    default: break;
  }
}

void Player::swap(int table) {
  if (table < 0) {
    slot_->withdraw();
  } else if (static_cast<size_t>(table) < program_.tables.size()) {
    slot_->publish(program_.tables[static_cast<size_t>(table)]);
  }
}

void Player::begin_capture(const Op &op) {
  if (!alive(op)) {
    return;
  }
  if (op.extra == 1) {
    call(Kind::BeginCapture, hip_.hipStreamBeginCapture_spt, stream(op), op.way);
  } else if (op.extra == 2) {
    call(Kind::BeginCapture, hip_.hipStreamBeginCaptureToGraph, stream(op), nullptr, nullptr, nullptr, size_t{0},
         op.way);
  } else {
    call(Kind::BeginCapture, hip_.hipStreamBeginCapture, stream(op), op.way);
  }
}

void Player::load(const Op &op) {
  if (modules_[op.item]) {
    return;
  }
  call(Kind::Load, hip_.hipModuleLoad, &modules_[op.item], "module");
  for (size_t at = 0; modules_[op.item] && at < kernel_count; ++at) {
    const size_t kernel = (at + static_cast<size_t>(op.way)) % kernel_count;
    call(Kind::Load, hip_.hipModuleGetFunction, &functions_[op.item][kernel], modules_[op.item],
         ("k" + std::to_string(kernel)).c_str());
  }
}

}  // namespace eclip::order
