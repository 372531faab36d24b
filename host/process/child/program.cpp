#include "host/process/child/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace moonlet {

namespace {

constexpr const char* kNoPath = "/usr/local/bin:/usr/bin:/bin";

// Returns 0 if a child could execute the file, else the errno to report.
int check_program(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return errno;
  if (S_ISDIR(st.st_mode)) return EISDIR;
  if (!S_ISREG(st.st_mode)) return EACCES;
  // access() checks the real user, who is the child's user: moonlet is never set-user-id.
  return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

std::string in_folder(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

Error unusable(int number, const std::string& path) {
  Error error;
  error.at = path;
  error.message = "cannot run " + path + ": ";
  if (number == EISDIR) {
    error.kind = ErrorKind::kInvalid;
    error.message += "it is a folder";
    error.hint = "name the program in it";
  } else if (number == EACCES) {
    error.kind = ErrorKind::kDenied;
    error.message += "it is not executable";
    error.hint = "make it executable (chmod +x) or run it through its interpreter";
  } else {
    return Error::from_errno(number, "run", path);
  }
  return error;
}

}  // namespace

Result<std::string> find_program(std::string_view name, const char* path, const std::string& cwd) {
  if (name.empty()) return Error{ErrorKind::kInvalid, "the program's name is empty", {}, {}};
  auto locate = [&](std::string_view file) {
    return file[0] == '/' || cwd.empty() ? std::string(file) : in_folder(cwd, file);
  };
  if (name.find('/') != std::string_view::npos) {
    std::string file = locate(name);
    int number = check_program(file);
    if (number == 0) return file;
    if (number != ENOENT) return unusable(number, file);
    Error error = Error::from_errno(number, "run", file);
    error.message = "program " + file + " does not exist";
    return error;
  }

  std::string_view rest = path != nullptr ? path : kNoPath;
  int worst = 0;
  std::string where;
  while (true) {
    std::size_t colon = rest.find(':');
    std::string_view folder = rest.substr(0, colon);
    // Ignore a relative PATH folder: it is in the repository, which may contain a file named git.
    if (!folder.empty() && folder[0] == '/') {
      std::string file = in_folder(folder, name);
      int number = check_program(file);
      if (number == 0) return file;
      // Report the first file of that name that cannot run, instead of "not found".
      if (worst == 0 && (number == EACCES || number == EISDIR)) {
        worst = number;
        where = file;
      }
    }
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (worst == EACCES) return unusable(worst, where);
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = "program '" + std::string(name) + "' was not found";
  if (path == nullptr) {
    error.hint = "its environment has no PATH; looked in " + std::string(kNoPath) + "; ";
  }
  error.hint += "install it or name it with its path";
  error.at = name;
  return error;
}

Error exec_error(int number, const std::string& path) {
  switch (number) {
    case ENOENT: {
      Error error;
      error.kind = ErrorKind::kInvalid;
      error.message = "cannot run " + path + ": the interpreter that it names does not exist";
      error.hint = "check its #! line, or that it was built for this machine";
      error.at = path;
      return error;
    }
    case ENOEXEC: {
      Error error = Error::from_errno(number, "run", path);
      error.hint = "a script needs a #! line; else the file is not a program for this machine";
      return error;
    }
    case E2BIG: {
      Error error;
      error.kind = ErrorKind::kInvalid;
      error.message = "cannot run " + path + ": arguments and environment are too long (E2BIG)";
      error.hint = "pass long text by a file or on stdin";
      error.at = path;
      return error;
    }
    case EACCES:
      return unusable(number, path);
    default:
      return Error::from_errno(number, "run", path);
  }
}

}  // namespace moonlet
