#include "host/process/session/evidence.h"

#include <termios.h>

namespace moonlet {

nlohmann::json terminal_facts(int fd) {
  termios settings{};
  if (tcgetattr(fd, &settings) != 0) return nullptr;
  return {{"echo", (settings.c_lflag & ECHO) != 0},
          {"canonical", (settings.c_lflag & ICANON) != 0}};
}

}  // namespace moonlet
