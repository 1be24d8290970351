#include "acceptance.h"

int main(int count, char **arguments) {
  if (count < 2) {
    for (const auto &[name, body] : tests()) std::puts(name.c_str());
    return 0;
  }
  const auto test = tests().find(arguments[1]);
  if (test == tests().end()) {
    std::fprintf(stderr, "no test is called %s\n", arguments[1]);
    return 2;
  }
  test->second();
  std::puts("passed");
  return 0;
}
