#include "host/web/repo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/id.h"
#include "host/base/text.h"
#include "host/process/client/helper.h"

namespace moonlet::web {

namespace {

/// Returns a top-level string field of run.json. Searches the text, because the file may be too
/// large to parse. The host writes each field on its own line, and escapes newlines in strings.
std::optional<std::string> top_field(Fd file, const std::string& name) {
  const std::string mark = "\n  \"" + name + "\": \"";
  std::string text;
  char block[64 * 1024];
  for (;;) {
    const long count = read_some(file.get(), block, sizeof block);
    if (count <= 0) return std::nullopt;
    text.append(block, static_cast<std::size_t>(count));
    const auto found = text.find(mark);
    if (found == std::string::npos) {
      if (text.size() > mark.size()) text.erase(0, text.size() - mark.size());
      continue;
    }
    const auto begin = found + mark.size(), end = text.find('"', begin);
    if (end != std::string::npos) return text.substr(begin, end - begin);
    text.erase(0, found);
  }
}

}  // namespace

bool is_at(const Dir& folder, const std::string& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(folder.fd(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

Result<Repo> Repo::open(const std::string& folder) {
  auto home = Home::find(folder, ask_git(own_environment()));
  if (!home) return home.error();
  return Repo(folder, std::move(*home));
}

const Dir* Repo::agent() {
  auto dir = home_.existing();
  if (dir && *dir != nullptr && !is_at(**dir, home_.root() + "/.agent")) {
    home_.close();
    dir = home_.existing();
  }
  return dir ? *dir : nullptr;
}

bool Repo::is_read_only() {
  const Dir* dir = agent();
  return dir != nullptr && ::faccessat(dir->fd(), ".", W_OK, AT_EACCESS) != 0;
}

Result<Dir> Repo::sidecar(const std::string& run) {
  const Dir* dir = agent();
  if (dir == nullptr || id_number('R', run) == 0) {
    return Error{ErrorKind::kInvalid, "there is no run " + printable(run, 40)};
  }
  auto record = dir->open_read("runs/" + run + "/run.json");
  if (!record) return record.error();
  const auto path = top_field(std::move(*record), "sidecar");
  if (!path || (path->rfind("sidecars/", 0) != 0 && path->rfind("runs/", 0) != 0)) {
    return Error{ErrorKind::kInvalid, run + " has no sidecar"};
  }
  return dir->dir(*path);
}

}  // namespace moonlet::web
