#include "host/process/child/program.h"

#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <climits>
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
  const std::string message = "cannot run " + path + ": ";
  switch (number) {
    case EISDIR:
      return {ErrorKind::kInvalid, message + "it is a folder", "name the program in it", path};
    case EACCES:
      return {ErrorKind::kDenied, message + "it is not executable",
              "make it executable (chmod +x) or run it through its interpreter", path};
    default:
      return Error::from_errno(number, "run", path);
  }
}

}  // namespace

std::string running_program() {
  char path[PATH_MAX];
  std::size_t size = sizeof path;
  return uv_exepath(path, &size) == 0 ? std::string(path, size) : std::string();
}

Result<std::string> find_program(std::string_view name, const char* path, const std::string& cwd) {
  if (name.empty()) return Error{ErrorKind::kInvalid, "the program's name is empty"};
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
  std::string denied;
  while (true) {
    std::size_t colon = rest.find(':');
    std::string_view folder = rest.substr(0, colon);
    // Ignore a relative PATH folder: it is in the repository, which may contain a file named git.
    if (!folder.empty() && folder[0] == '/') {
      std::string file = in_folder(folder, name);
      int number = check_program(file);
      if (number == 0) return file;
      // Report the first file of that name that cannot run, instead of "not found".
      if (number == EACCES && denied.empty()) denied = file;
    }
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (!denied.empty()) return unusable(EACCES, denied);
  std::string hint = "install it or name it with its path";
  if (path == nullptr) {
    hint = "its environment has no PATH; looked in " + std::string(kNoPath) + "; " + hint;
  }
  return Error{ErrorKind::kInvalid, "program '" + std::string(name) + "' was not found",
               std::move(hint), std::string(name)};
}

Error exec_error(int number, const std::string& path) {
  const std::string message = "cannot run " + path + ": ";
  switch (number) {
    case ENOENT:
      return {ErrorKind::kInvalid, message + "the interpreter that it names does not exist",
              "check its #! line, or that it was built for this machine", path};
    case ENOEXEC: {
      Error error = Error::from_errno(number, "run", path);
      error.hint = "a script needs a #! line; else the file is not a program for this machine";
      return error;
    }
    case E2BIG:
      return {ErrorKind::kInvalid, message + "arguments and environment are too long (E2BIG)",
              "pass long text by a file or on stdin", path};
    default:
      return unusable(number, path);
  }
}

Error cwd_error(int number, const std::string& path) {
  Error error = Error::from_errno(number, "enter the working directory", path);
  if (number == ENOENT) error.message = "the working directory " + path + " does not exist";
  return error;
}

}  // namespace moonlet
