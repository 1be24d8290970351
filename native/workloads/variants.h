// The ways in which a program can put one request's kernels on the device. All give the same results.
#pragma once

#include <memory>
#include <string>

#include "lane.h"

namespace workloads {

// Sends one request of a lane and waits for its result.
class Issuer {
 public:
  explicit Issuer(Lane &lane) : lane_(lane) {}
  virtual ~Issuer() = default;
  Issuer(const Issuer &) = delete;
  Issuer &operator=(const Issuer &) = delete;

  // Input, kernels in order, result; returns when the result is there.
  virtual void run();

 protected:
  virtual hipStream_t stream(size_t) const { return nullptr; }
  virtual void before(size_t) {}
  virtual void launch(size_t i);

  Lane &lane_;
};

bool known_variant(const std::string &name);
std::string variant_names();
// Host threads that a program of this variant serves with, per model.
unsigned variant_threads(const std::string &name);
std::unique_ptr<Issuer> make_issuer(const std::string &variant, Lane &lane);

}  // namespace workloads
