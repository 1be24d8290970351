// One model as a program; the build sets WORKLOAD to its name.
#include "serve.h"

#define TEXT(name) #name
#define NAME(name) TEXT(name)

int main(int argc, char **argv) { return workloads::serve(NAME(WORKLOAD), {&workloads::WORKLOAD}, argc, argv); }
