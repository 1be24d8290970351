#include "launch.h"

namespace eclip {

namespace {

// Under which plan this thread now launches on this stream. A new table is taken at a request boundary.
void refresh(Client &client, Track &track, uint32_t device_cus) {
  const uint64_t wanted = client.slot.generation();
  if (track.counters && (wanted == track.asked_generation || !track.cursor.at_boundary())) {
    return;
  }
  track.asked_generation = wanted;
  std::shared_ptr<const Plan> plan = client.slot.plan(device_cus);
  if (!track.counters || plan != track.plan) {
    if (track.counters) {
      track.pending.flush(*track.counters);
    }
    track.plan = std::move(plan);
    track.seen.clear();
    track.cursor.restart();
    track.clock.stop();
    track.counters = &client.stats.counters_of(track.plan ? track.plan->generation : 0);
  }
}

void count_step(const Step &step, Track &track, Marks &marks) {
  eclip_model_counters &model = track.counters->models[step.model];
  if (step.mismatch) {
    bump(model.mismatches);
  }
  if (step.resync) {
    bump(model.resyncs);
  }
  marks.model = &model;
  if (marks.count != 0) {
    return;  // requests are counted where the application marks them
  }
  if (step.request_start) {
    track.clock.begin(model);
  }
  if (step.request_end) {
    bump(model.requests);
  }
}

void count_launch(const Step &step, Track &track, bool redirected, eclip_reason why) {
  eclip_model_counters *model = step.known ? &track.counters->models[step.model] : nullptr;
  track.pending.add(*track.counters, model, redirected, why);
  if (step.lane_end) {
    track.pending.flush(*track.counters);
  }
}

// Why this launch stays where the application put it, before any masked stream is looked for. WHOLE_GPU: no reason.
eclip_reason reason_to_stay(const Options &options, const AppStream &stream, const Step &step, const Launch &launch,
                            bool denied) {
  if (options.mode == ECLIP_OBSERVE) return ECLIP_PASS_OBSERVING;
  if (!launch.movable) return ECLIP_PASS_UNSUPPORTED;
  if (stream.user_masked) return ECLIP_PASS_USER_MASKED;
  if (stream.device != 0) return ECLIP_PASS_OTHER_DEVICE;
  if (stream.prioritised && options.priority != Rule::Redirect) return ECLIP_PASS_PRIORITY;
  if (denied) return ECLIP_PASS_DENIED;
  if (step.stream == unknown_kernel) return ECLIP_PASS_UNKNOWN_KERNEL;
  if (stream.kind == AppStream::Kind::NonBlocking) {
    const bool vouched = options.non_blocking == Rule::Redirect ||
                         (options.non_blocking == Rule::Profile && step.kind == StreamKind::NonBlocking);
    if (!vouched) return ECLIP_PASS_NON_BLOCKING;
  }
  return ECLIP_PASS_WHOLE_GPU;
}

// Packets before the kernel. False: nothing has been changed for the application, the kernel may stay.
bool prepare(const Runtime &runtime, AppStream &stream, const MaskedStream &target, const Steps &steps) {
  if (steps.fork) {
    return runtime.hipEventRecord(stream.fork_event, stream.handle) == hip::success &&
           runtime.hipStreamWaitEvent(target.handle, stream.fork_event, 0) == hip::success;
  }
  if (steps.hop) {
    const MaskedStream &last = *stream.order.previous();
    if (steps.hop_needs_record && runtime.hipEventRecord(last.event, last.handle) != hip::success) {
      return false;
    }
    return runtime.hipStreamWaitEvent(target.handle, last.event, 0) == hip::success;
  }
  return true;
}

hip::Error move(Client &client, const Runtime &runtime, AppStream &stream, MaskedStream &target, const Steps &steps,
                uint64_t touches, const Launch &launch, const Issue &issue) {
  hip::Event stop = launch.stop ? launch.stop : target.event;
  const bool with_event = steps.bind_event || launch.start || launch.stop;
  const hip::Error error =
      with_event ? issue.with_events(target.handle, launch.start, stop) : issue.plain(target.handle);
  if (error != hip::success) {
    return error;  // and no further call on this thread: the error is the application's to read
  }
  // A later wait looks at our own event; one of the application's may be recorded again by then.
  Steps done = steps;
  done.bind_event = steps.bind_event && !launch.stop;
  stream.order.launched(&target, done, touches);
  if (steps.join && runtime.hipStreamWaitEvent(stream.handle, stop, 0) != hip::success) {
    // Too late to take the kernel back: let the host wait this once, and redirect no more.
    runtime.hipStreamSynchronize(target.handle);
    runtime.hipGetLastError();
    client.broken.store(true, std::memory_order_relaxed);
    client.streams.changed();
  }
  return hip::success;
}

bool other_device(Client &client, const Runtime &runtime, hip::Stream stream) {
  int current = 0;
  const bool implicit = hip::is_null(stream) || hip::is_per_thread(stream);
  return implicit && client.streams.device(runtime).count > 1 && runtime.hipGetDevice(&current) == hip::success &&
         current != 0;
}

// What this thread launches at this place of the plan, for later runs.
void learn(const Client &client, Track &track, const Step &step, const Launch &launch) {
  const uint32_t epoch = client.kernels.epoch();
  if (track.seen.empty() || track.seen_epoch != epoch) {
    track.seen_epoch = epoch;
    track.seen.assign(track.plan->lanes.size(), {});
  }
  SeenLane &seen = track.seen[step.lane];
  seen.at.resize(track.plan->lanes[step.lane].keys.size());
  seen.learn(step.position, {launch.function, launch.grid, launch.block});
}

constexpr uint32_t most_foreseen = 256;

bool lasts(eclip_reason why) { return why != ECLIP_PASS_FORK_FAILED && why != ECLIP_PASS_CAPTURING; }

// Behind the last kernel of which is known what will be launched there and that it goes where the last one went.
const Foreseen *end_of_known(const Track &track, bool anywhere) {
  const Foreseen *end = track.seen[track.cursor.lane()].at.data() + track.cursor.position();
  for (uint32_t left = track.cursor.ahead(*track.plan, anywhere, most_foreseen); left != 0 && end->function; --left) {
    ++end;
  }
  return end;
}

// All of the lane is known, and so is what follows it.
bool turns_round(const Thread &thread, const Track &track, bool anywhere) {
  const SeenLane &seen = track.seen[track.cursor.lane()];
  const bool timed = track.clock.runs() || !track.plan->lanes[track.cursor.lane()].first;
  return seen.known == seen.at.size() && track.cursor.turns(*track.plan, anywhere) && timed && thread.marks.count == 0;
}

// After a launch that went to `target`: foresees those that follow it there. `owned`: the stream whose order they keep.
void open_run(Client &client, const Runtime &runtime, Thread &thread, Track &track, const Launch &launch,
              hip::Stream target, const AppStream *owned) {
  const uint64_t changes = client.streams.changes().load(std::memory_order_acquire);
  const SeenLane &seen = track.seen[track.cursor.lane()];
  const uint32_t position = track.cursor.position();
  const bool turns = turns_round(thread, track, !owned);
  const Foreseen *first = seen.at.data();
  const Foreseen *limit = turns ? first + seen.at.size() : end_of_known(track, !owned);
  const Foreseen *next = turns && position == 0 ? limit : first + position;
  const bool implicit = hip::is_null(launch.stream) || hip::is_per_thread(launch.stream);
  if ((!turns && next == limit) || client.streams.capture_in_progress() ||
      (implicit && client.streams.several_devices())) {
    return;
  }
  Run &run = thread.run;
  run.first = first;
  run.limit = limit;
  run.turns = turns;
  run.changes = changes;
  run.table = track.asked_generation;
  run.stream = launch.stream;
  run.target = target;
  run.owned = owned ? &owned->ownership : nullptr;
  run.table_now = client.slot.generation_word();
  run.changes_now = &client.streams.changes();
  run.active_now = client.slot.active_word();
  run.active = track.cursor.active();
  run.runtime = &runtime;
  run.track = &track;
  run.open(next);
}

// Under the stream's lock. ECLIP_PASS_WHOLE_GPU and a null target: the plan wants it where it is.
hip::Error settle(Client &client, const Runtime &runtime, Thread &thread, AppStream &stream, Track &track,
                  const Step &step, eclip_reason why, const Launch &launch, const Issue &issue) {
  stream.ownership.take(*thread.seat);
  MaskedStream *target = nullptr;
  if (why == ECLIP_PASS_WHOLE_GPU && step.stream != whole_gpu) {
    target = client.streams.masked(runtime, stream, *track.plan, static_cast<size_t>(step.stream), why);
  }
  hip::Error error = hip::success;
  const Joining joining = stream.kind == AppStream::Kind::Null ? client.streams.null_joining() : Joining::Eager;
  if (target) {
    const bool hop_follows = step.next >= 0 && step.next != step.stream;
    const uint64_t touches = client.streams.touches(stream);
    const Steps steps = stream.order.before(target, joining, hop_follows, touches);
    if (prepare(runtime, stream, *target, steps)) {
      error = move(client, runtime, stream, *target, steps, touches, launch, issue);
    } else {
      runtime.hipGetLastError();  // not the application's: HIP 7 keeps it until it is read
      target = nullptr;
      why = ECLIP_PASS_FORK_FAILED;
    }
  }
  if (!target) {
    error = issue.plain(launch.stream);
    if (error == hip::success) {  // else there is nothing that could stand for what came before
      stream.order.stayed();
    }
  }
  count_launch(step, track, target != nullptr, why);
  if (step.known && stream.order.hopped()) {
    bump(track.counters->models[step.model].hops);
  }
  if (step.placed && launch.movable && why != ECLIP_PASS_DENIED && lasts(why)) {
    learn(client, track, step, launch);
    const bool free = !target || joining == Joining::ByRuntime;
    if (free && stream.ownership.owned_by(*thread.seat) && stream.order.steady(target)) {
      open_run(client, runtime, thread, track, launch, target ? target->handle : launch.stream, &stream);
    }
  }
  return error;
}

hip::Error decide(Client &client, const Runtime &runtime, Thread &thread, AppStream &stream, Track &track,
                  const Launch &launch, const Issue &issue, Kernels::Found kernel) {
  Step step;
  eclip_reason why = ECLIP_PASS_NO_TABLE;
  if (client.streams.capture_in_progress() && client.streams.capturing(runtime, launch.stream)) {
    count_launch(step, track, false, ECLIP_PASS_CAPTURING);
    return issue.plain(launch.stream);  // becomes a node of a graph
  }
  if (track.plan && !track.plan->variants.empty()) {
    if (track.mark != thread.marks.count) {
      track.mark = thread.marks.count;
      track.cursor.restart();
    }
    step = track.cursor.advance(*track.plan, client.slot.active(), key_of(launch, kernel.name));
    if (step.known) {
      count_step(step, track, thread.marks);
    }
    why = reason_to_stay(client.options, stream, step, launch, kernel.denied);
    if (why == ECLIP_PASS_WHOLE_GPU && client.broken.load(std::memory_order_relaxed)) {
      why = ECLIP_PASS_FORK_FAILED;
    }
  }
  if (client.options.mode == ECLIP_OBSERVE) {  // nothing ever moves, so there is no order to keep
    count_launch(step, track, false, ECLIP_PASS_OBSERVING);
    if (step.placed) {
      learn(client, track, step, launch);
      open_run(client, runtime, thread, track, launch, launch.stream, nullptr);
    }
    return issue.plain(launch.stream);
  }
  const std::lock_guard<std::mutex> lock(stream.mutex);
  return settle(client, runtime, thread, stream, track, step, why, launch, issue);
}

}  // namespace

KernelKey key_of(const Launch &launch, NameId name) {
  return {name, {launch.grid.x, launch.grid.y, launch.grid.z}, {launch.block.x, launch.block.y, launch.block.z}};
}

hip::Error launch(const Entry &, Client &client, const Runtime &runtime, const Launch &launch, const Issue &issue) {
  Thread &thread = client.thread();
  thread.run.leave();
  const Device &device = client.streams.device(runtime);
  AppStream *stream = other_device(client, runtime, launch.stream)
                          ? nullptr
                          : client.streams.find(thread.streams, runtime, launch.stream);
  const Kernels::Found kernel =
      client.kernels.find(thread.kernels, runtime, launch.function, launch.by_pointer, launch.stream);
  if (!stream || kernel.name == no_name) {
    count_pass(client, runtime, stream ? ECLIP_PASS_UNSUPPORTED : ECLIP_PASS_OTHER_DEVICE);
    return issue.plain(launch.stream);
  }
  Track &track = thread.track(stream->id.load(std::memory_order_relaxed));
  refresh(client, track, device.reported_cus);
  if (client.profiles(track.plan.get())) {
    bump(track.counters->launches);
    const std::lock_guard<std::mutex> lock(stream->mutex);
    // Another thread may still run on it under the plan before; the profiler joins at once whatever it moves.
    stream->ownership.take(*thread.seat);
    const hip::Error error = client.profiler.launch(runtime, thread, *stream, track, launch, issue, kernel);
    if (error == hip::success) {
      stream->order.stayed();
    }
    return error;
  }
  return decide(client, runtime, thread, *stream, track, launch, issue, kernel);
}

void count_pass(Client &client, const Runtime &runtime, eclip_reason why) {
  client.streams.device(runtime);
  eclip_counters &counters = client.stats.counters_of(client.slot.generation());
  bump(counters.launches);
  bump(counters.passed[why]);
}

}  // namespace eclip
