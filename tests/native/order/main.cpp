// order_test [--programs N] [--seed S] [--first] [--keep FOLDER] [FILE...]: replays the programs in files, then tries random ones. A
// program that fails is made as short as can be, printed and kept; with --first, the first one ends the test as it is.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>

#include "slot_folder.h"
#include "trial.h"

namespace eclip::order {

namespace {

constexpr size_t most_failures = 5;  // before no more are looked for

struct Wishes {
  uint64_t programs = 0;
  uint64_t seed = 0;
  bool first = false;
  std::string keep;
  std::vector<std::string> files;
};

Wishes wishes_of(int count, char **arguments) {
  Wishes wishes;
  wishes.seed = std::random_device{}();
  for (int at = 1; at < count; ++at) {
    const std::string word = arguments[at];
    const char *value = at + 1 < count ? arguments[at + 1] : "";
    if (word == "--first") {
      wishes.first = true;
      continue;
    }
    if (word == "--programs") {
      wishes.programs = strtoull(value, nullptr, 10);
    } else if (word == "--seed") {
      wishes.seed = strtoull(value, nullptr, 10);
    } else if (word == "--keep") {
      wishes.keep = value;
    } else {
      wishes.files.push_back(word);
      continue;
    }
    ++at;
  }
  return wishes;
}

void tell(const std::string &name, const std::vector<std::string> &wrong) {
  std::cout << name << ": FAILED\n";
  for (const std::string &line : wrong) {
    std::cout << "  " << line << '\n';
  }
}

bool replay(const std::string &path, SlotFolder &slot) {
  std::ifstream file(path);
  Program program;
  if (!file || !read_program(file, program) || program.ops.size() > most_ops) {
    throw std::runtime_error(path + ": not a program");
  }
  const Verdict verdict = try_out(program, slot);
  if (!verdict.wrong.empty()) {
    tell(path, verdict.wrong);
  }
  return verdict.wrong.empty();
}

void keep(const Program &failing, const Wishes &wishes, SlotFolder &slot) {
  const Program shortest = shrink(failing, slot);
  tell("program " + std::to_string(failing.seed), try_out(shortest, slot).wrong);
  std::cout << text_of(shortest);
  if (!wishes.keep.empty()) {
    const std::string path = wishes.keep + "/" + std::to_string(failing.seed) + ".program";
    std::ofstream(path) << text_of(shortest);
    std::cout << "kept as " << path << '\n';
  }
  std::cout << std::flush;
}

size_t try_random(const Wishes &wishes, SlotFolder &slot) {
  std::cout << wishes.programs << " programs from seed " << wishes.seed << std::endl;
  size_t failures = 0;
  Count sum;
  uint64_t operations = 0;
  uint64_t done = 0;
  for (; done < wishes.programs && failures < most_failures; ++done) {
    const Program program = generate(wishes.seed + done);
    const Verdict verdict = try_out(program, slot);
    sum.launches += verdict.count.launches;
    sum.redirected += verdict.count.redirected;
    sum.masked_streams += verdict.count.masked_streams;
    operations += program.ops.size();
    if (!verdict.wrong.empty()) {
      ++failures;
      std::cout << "failed after " << done + 1 << " programs\n";
      if (wishes.first) {
        tell("program " + std::to_string(program.seed), verdict.wrong);
        break;
      }
      keep(program, wishes, slot);
    }
  }
  std::cout << done << " programs, " << operations << " operations, " << sum.launches << " launches, " << sum.redirected
            << " of them on " << sum.masked_streams << " masked streams: " << failures << " failed\n";
  // Programs that never redirect would show nothing.
  return failures + (done >= 100 && sum.redirected * 10 < sum.launches ? 1 : 0);
}

int test(const Wishes &wishes) {
  SlotFolder slot("/tmp/eclip-order-" + std::to_string(getpid()));
  size_t failures = 0;
  for (const std::string &path : wishes.files) {
    failures += replay(path, slot) ? 0 : 1;
  }
  if (wishes.programs != 0) {
    failures += try_random(wishes, slot);
  }
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

}  // namespace eclip::order

int main(int count, char **arguments) {
  try {
    return eclip::order::test(eclip::order::wishes_of(count, arguments));
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
