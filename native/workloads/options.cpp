#include "options.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "variants.h"

namespace workloads {

namespace {

[[noreturn]] void refuse(const std::string &why) {
  std::fprintf(stderr, "%s; see --help\n", why.c_str());
  std::exit(2);
}

[[noreturn]] void help(const char *program) {
  std::printf(
      "usage: %s [--requests N] [--seconds S] [--rate R | --period-ms P] [--batch B] [--variant NAME]\n"
      "Serves requests in a closed loop, at R requests/s arriving at random, or one every P ms, and prints a line of\n"
      "JSON at the end. --list prints the launches of one request, --reference computes the checksum on the host.\n"
      "variants: %s\n",
      program, variant_names().c_str());
  std::exit(0);
}

double positive(std::string_view flag, const char *text) {
  char *end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end || !std::isfinite(value) || value <= 0)
    refuse(std::string(flag) + " " + text + ": not a number above 0");
  return value;
}

uint64_t count(std::string_view flag, const char *text, double most) {
  const double value = positive(flag, text);
  if (value != std::floor(value) || value > most)
    refuse(std::string(flag) + " " + text + ": not a whole number up to " + std::to_string(uint64_t(most)));
  return uint64_t(value);
}

void set(Options &options, std::string_view flag, const char *value) {
  if (flag == "--requests")
    options.requests = count(flag, value, 1e12);
  else if (flag == "--seconds")
    options.seconds = positive(flag, value);
  else if (flag == "--rate")
    options.rate = positive(flag, value);
  else if (flag == "--period-ms")
    options.period_ms = positive(flag, value);
  else if (flag == "--batch")
    options.batch = uint32_t(count(flag, value, 256));
  else if (flag == "--variant")
    options.variant = value;
  else
    refuse(std::string(flag) + ": no such option");
}

}  // namespace

Options parse_options(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--help") help(argv[0]);
    if (flag == "--reference") {
      options.reference = true;
    } else if (flag == "--list") {
      options.list = true;
    } else {
      if (i + 1 == argc) refuse(std::string(flag) + ": needs a value");
      set(options, flag, argv[++i]);
    }
  }
  if (options.rate > 0 && options.period_ms > 0) refuse("--rate and --period-ms: only one of them");
  if (!known_variant(options.variant)) refuse("--variant " + options.variant + ": not one of " + variant_names());
  if (options.reference && options.requests == 0) refuse("--reference: needs --requests");
  return options;
}

}  // namespace workloads
