#include "host/executor/repository.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace moonlet::executor {

Result<Dir> find_repository(const std::string& named) {
  char* here = ::realpath(named.empty() ? "." : named.c_str(), nullptr);
  if (here == nullptr) {
    return Error::from_errno(errno, "open the repository root", named.empty() ? "." : named);
  }
  const std::string start = here;
  std::free(here);
  if (!named.empty()) return Dir::open(start);
  for (std::string at = start;;) {
    struct stat info {};
    if (::stat((at + "/.git").c_str(), &info) == 0) return Dir::open(at);
    const auto slash = at.rfind('/');
    if (slash == std::string::npos || at == "/") return Dir::open(start);
    at.erase(slash == 0 ? 1 : slash);
  }
}

}  // namespace moonlet::executor
