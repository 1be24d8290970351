// Serves requests of one or several models from one process.
#pragma once

#include <vector>

#include "model.h"

namespace workloads {

// The whole program: command line, serving threads, JSON. Returns the exit status: 0 when all results were right.
int serve(const char *name, const std::vector<const Model *> &models, int argc, char **argv);

}  // namespace workloads
