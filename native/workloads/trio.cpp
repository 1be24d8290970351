// Three models in one process, each served by threads of its own, as an inference server does.
#include "serve.h"

int main(int argc, char **argv) {
  return workloads::serve("trio", {&workloads::alexnet, &workloads::shufflenet, &workloads::resnet152}, argc, argv);
}
