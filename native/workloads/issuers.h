// The variants' makers, by file; variants.cpp lists them.
#pragma once

#include <memory>

#include "variants.h"

namespace workloads {

// Kernels between two points where a variant does something.
constexpr size_t kChunk = 7;

// issuers_streams.cpp
std::unique_ptr<Issuer> on_one_stream(Lane &lane);
std::unique_ptr<Issuer> on_thread_stream(Lane &lane);
std::unique_ptr<Issuer> on_blocking_streams(Lane &lane);
std::unique_ptr<Issuer> on_non_blocking_streams(Lane &lane);
std::unique_ptr<Issuer> around_null_stream(Lane &lane);
std::unique_ptr<Issuer> with_missing_wait(Lane &lane);

// issuers_host.cpp
std::unique_ptr<Issuer> with_copies(Lane &lane);
std::unique_ptr<Issuer> with_callbacks(Lane &lane);
std::unique_ptr<Issuer> with_events(Lane &lane);
std::unique_ptr<Issuer> by_two_threads(Lane &lane);

// issuers_launch.hip.cpp
std::unique_ptr<Issuer> by_ext_launch(Lane &lane);
std::unique_ptr<Issuer> by_module_launch(Lane &lane);
std::unique_ptr<Issuer> by_graph(Lane &lane);

}  // namespace workloads
