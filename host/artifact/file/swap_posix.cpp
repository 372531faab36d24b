#include <cerrno>

#include "host/artifact/file/swap_names.h"

namespace moonlet {

int exchange_names(int, const char*, int, const char*) {
  errno = ENOTSUP;
  return -1;
}

int rename_to_new_name(int, const char*, int, const char*) {
  errno = ENOTSUP;
  return -1;
}

void copy_attributes(int, int) {}

std::string attributes_text(int) { return {}; }

void inherit_access(int, int) {}

}  // namespace moonlet
