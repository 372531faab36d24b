#include "host/executor/repository.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

namespace moonlet::executor {

namespace {

Result<Dir> open_root(const std::string& path) {
  if (path != "/") return Dir::open(path);
  return Error{ErrorKind::kInvalid, "the repository root is /, the whole machine",
               "name the project's folder in REPO_ROOT, or start in it", path};
}

}  // namespace

Result<Dir> find_repository(const std::string& named) {
  char* here = ::realpath(named.empty() ? "." : named.c_str(), nullptr);
  if (here == nullptr) {
    return Error::from_errno(errno, "open the repository root", named.empty() ? "." : named);
  }
  const std::string start = here;
  std::free(here);
  if (!named.empty()) return open_root(start);
  for (std::string at = start;;) {
    struct stat info {};
    if (::stat((at + "/.git").c_str(), &info) == 0) return open_root(at);
    const auto slash = at.rfind('/');
    if (slash == std::string::npos || at == "/") return open_root(start);
    at.erase(slash == 0 ? 1 : slash);
  }
}

}  // namespace moonlet::executor
