// The executable that the process tests start as their keeper.
#include <cstring>

#include "host/process/keeper.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "keeper") == 0) {
    return moonlet::keeper_main(argc - 2, argv + 2);
  }
  return 2;
}
