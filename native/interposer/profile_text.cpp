#include "profile_text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace eclip {

namespace {

std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char letter : text) {
    if (letter == '"' || letter == '\\') {
      result += '\\';
    }
    if (static_cast<unsigned char>(letter) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(letter));
      result += escape;
    } else {
      result += letter;
    }
  }
  return result + "\"";
}

// A name as documents want it: lower-case letters, digits and dashes.
std::string document_name(const std::string &text) {
  std::string name;
  for (char letter : text) {
    const bool plain = isalnum(static_cast<unsigned char>(letter)) != 0;
    name += plain ? static_cast<char>(tolower(static_cast<unsigned char>(letter))) : '-';
  }
  const size_t first = name.find_first_not_of('-');
  const size_t last = name.find_last_not_of('-');
  return first == std::string::npos ? "program" : name.substr(first, last - first + 1);
}

const char *kind_name(StreamKind kind) {
  switch (kind) {
    case StreamKind::Null: return "Null";
    case StreamKind::NonBlocking: return "NonBlocking";
    default: return "Blocking";
  }
}

template <class Values, class Print>
std::string list(const Values &values, const Print &print) {
  std::string text = "[";
  for (const auto &value : values) {
    text += (text.size() > 1 ? ", " : "") + print(value);
  }
  return text + "]";
}

std::string decimal(double micros) {
  char text[32];
  snprintf(text, sizeof text, "%.3f", std::max(micros, 0.001));
  return text;
}

std::string shape(const uint32_t (&axes)[3]) {
  return "[" + std::to_string(axes[0]) + ", " + std::to_string(axes[1]) + ", " + std::to_string(axes[2]) + "]";
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string write_profile(const ProfileText &profile) {
  std::string text = "apiVersion: eclip.dev/v1alpha1\nkind: KernelProfile\n";
  text += "metadata: {name: " + document_name(profile.name) + "}\nspec:\n";
  text += "  gpu: {product: " + quoted(profile.product) + ", computeUnits: " + std::to_string(profile.compute_units) +
          "}\n  origin: Measured\n";
  text += "  sizes: " + list(profile.sizes, [](uint32_t size) { return std::to_string(size); }) + "\n";
  text += "  streams: " + list(profile.streams, [](StreamKind kind) { return std::string(kind_name(kind)); }) + "\n";
  text += "  symbols:\n";
  for (const std::string &symbol : profile.symbols) {
    text += "  - " + quoted(symbol) + "\n";
  }
  text += "  kernels:\n";
  for (const ProfiledKernel &kernel : profile.kernels) {
    text += "  - {symbol: " + std::to_string(kernel.symbol) + ", grid: " + shape(kernel.key.grid) +
            ", block: " + shape(kernel.key.block);
    if (kernel.stream != 0) {
      text += ", stream: " + std::to_string(kernel.stream);
    }
    text += ", micros: " + list(kernel.micros, decimal) + "}\n";
  }
  return text;
}

}  // namespace eclip
