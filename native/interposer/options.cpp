#include "options.h"

#include <unistd.h>

#include <cstdlib>

namespace eclip {

namespace {

std::string variable(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

void complain(const char *name, const std::string &value, const char *allowed, const char *taken) {
  say(std::string(name) + "=" + value + " is not one of " + allowed + "; " + taken + " is used");
}

eclip_mode mode_from(const std::string &value, bool slot) {
  if (value.empty()) {
    return slot ? ECLIP_ENFORCE : ECLIP_OFF;
  }
  if (value == "enforce") return ECLIP_ENFORCE;
  if (value == "observe") return ECLIP_OBSERVE;
  if (value == "profile") return ECLIP_PROFILE;
  if (value != "off") {
    complain("ECLIP_MODE", value, "enforce, profile, observe, off", "off");
  }
  return ECLIP_OFF;
}

Rule rule_from(const char *name, Rule standard, const char *allowed, const char *taken) {
  const std::string value = variable(name);
  if (value == "redirect") return Rule::Redirect;
  if (value == "pass") return Rule::Pass;
  if (!value.empty() && value != "profile") {
    complain(name, value, allowed, taken);
  }
  return standard;
}

std::vector<std::string> split(const std::string &text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find(',', at) == std::string::npos ? text.size() : text.find(',', at);
    if (end > at) {
      parts.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return parts;
}

uint32_t stream_limit() {
  const std::string value = variable("ECLIP_MAX_STREAMS");
  if (value.empty()) {
    return ECLIP_STREAMS;
  }
  char *end = nullptr;
  const unsigned long limit = strtoul(value.c_str(), &end, 10);
  if (*end != '\0' || value[0] == '-' || limit > ECLIP_STREAMS) {
    complain("ECLIP_MAX_STREAMS", value, "0..16", "16");
    return ECLIP_STREAMS;
  }
  return static_cast<uint32_t>(limit);
}

}  // namespace

Options options_from_environment() {
  Options options;
  options.slot = variable("ECLIP_SLOT");
  options.mode = mode_from(variable("ECLIP_MODE"), !options.slot.empty());
  if (options.mode == ECLIP_OFF) {
    return options;
  }
  options.non_blocking = rule_from("ECLIP_NON_BLOCKING", Rule::Profile, "profile, redirect, pass", "profile");
  options.priority = rule_from("ECLIP_PRIORITY", Rule::Pass, "redirect, pass", "pass");
  options.max_streams = stream_limit();
  options.deny = split(variable("ECLIP_DENY"));
  options.request_range = variable("ECLIP_REQUEST_RANGE");
  options.single_mask = options.mode == ECLIP_ENFORCE && variable("ECLIP_SINGLE_MASK") == "1";
  options.log = variable("ECLIP_LOG") == "1";
  return options;
}

void say(const std::string &line) {
  const std::string text = "eclip: " + line + "\n";
  // One write, so that lines of several processes do not mix; if stderr is gone there is nobody to tell.
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) {
    return;
  }
}

}  // namespace eclip
