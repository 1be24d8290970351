#include "program.h"

#include <iterator>
#include <sstream>

namespace eclip::order {

namespace {

constexpr const char *names[] = {
#define X(name) #name,
    ECLIP_ORDER_ACTIONS(X)
#undef X
};

bool read_op(std::istream &from, Op &op) {
  std::string name;
  from >> op.thread >> name >> op.stream >> op.item >> op.way >> op.extra;
  for (size_t action = 0; action < std::size(names); ++action) {
    if (name == names[action]) {
      op.action = static_cast<Action>(action);
      return !from.fail() && op.thread >= 0 && op.thread < most_threads;
    }
  }
  return false;
}

bool read_model(std::istream &from, PlannedModel &model) {
  size_t kinds = 0;
  size_t kernels = 0;
  from >> kinds >> kernels;
  model.kinds.resize(kinds);
  for (int &kind : model.kinds) {
    from >> kind;
  }
  model.kernels.resize(kernels);
  for (PlannedKernel &kernel : model.kernels) {
    from >> kernel.kernel >> kernel.shape >> kernel.stream >> kernel.choices[0] >> kernel.choices[1];
  }
  return !from.fail();
}

std::string text_of(const PlannedModel &model) {
  std::ostringstream text;
  text << "model " << model.kinds.size() << ' ' << model.kernels.size();
  for (int kind : model.kinds) {
    text << ' ' << kind;
  }
  for (const PlannedKernel &kernel : model.kernels) {
    text << "  " << kernel.kernel << ' ' << kernel.shape << ' ' << kernel.stream << ' ' << kernel.choices[0] << ' '
         << kernel.choices[1];
  }
  return text.str() + "\n";
}

}  // namespace

std::string text_of(const Op &op) {
  std::ostringstream text;
  text << op.thread << ' ' << names[static_cast<size_t>(op.action)] << ' ' << op.stream << ' ' << op.item << ' '
       << op.way << ' ' << op.extra;
  return text.str();
}

std::string text_of(const Program &program) {
  std::ostringstream text;
  text << "seed " << program.seed << "\nhip " << program.version << "\nfaults " << program.faults << "\nsteady "
       << program.steady << '\n';
  for (const auto &option : program.options) {
    text << "option " << option.first << ' ' << option.second << '\n';
  }
  for (const Table &table : program.tables) {
    text << "table " << table.sets << '\n';
    for (const PlannedModel &model : table.models) {
      text << text_of(model);
    }
  }
  for (const Op &op : program.ops) {
    text << "op " << text_of(op) << '\n';
  }
  return text.str();
}

bool read_program(std::istream &from, Program &program) {
  program = Program();
  for (std::string word; from >> word;) {
    if (word == "seed") {
      from >> program.seed;
    } else if (word == "hip") {
      from >> program.version;
    } else if (word == "faults") {
      from >> program.faults;
    } else if (word == "steady") {
      from >> program.steady;
    } else if (word == "option") {
      auto &option = program.options.emplace_back();
      from >> option.first >> option.second;
    } else if (word == "table") {
      from >> program.tables.emplace_back().sets;
    } else if (word == "model" && !program.tables.empty()) {
      if (!read_model(from, program.tables.back().models.emplace_back())) {
        return false;
      }
    } else if (word != "op" || !read_op(from, program.ops.emplace_back())) {
      return false;
    }
  }
  return true;
}

}  // namespace eclip::order
