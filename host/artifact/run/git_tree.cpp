#include "host/artifact/run/git_tree.h"

#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "host/artifact/file/dir.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kSmallFile = 1 << 20;

// Git also treats these errors as a missing file. Any other error is reported, because a
// repository in an unknown state must not count as missing.
bool is_absence(int number) {
  return number == ENOENT || number == ENOTDIR || number == ELOOP || number == ENAMETOOLONG ||
         number == EACCES || number == EPERM;
}

// Resolves all links of a path. Returns "" if the path does not exist.
Result<std::string> real_path(const std::string& path) {
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) != nullptr) return std::string(resolved);
  if (is_absence(errno)) return std::string();
  return Error::from_errno(errno, "inspect", printable(path));
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string joined(const std::string& folder, const std::string& path) {
  return !path.empty() && path[0] == '/' ? path : folder + "/" + path;
}

Result<bool> is_kind(const std::string& path, mode_t kind) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return (info.st_mode & S_IFMT) == kind;
  if (is_absence(errno)) return false;
  return Error::from_errno(errno, "inspect", printable(path));
}

Result<std::string> small_file(const std::string& path) {
  auto folder = Dir::open(parent_of(path));
  if (!folder) return folder.error();
  auto file = folder->read_file(name_of(path), kSmallFile);
  if (!file) return file.error();
  return std::move(file->bytes);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Checks only the parts of a repository that git itself requires.
Result<bool> is_git_dir(const std::string& path) {
  auto found = is_kind(path + "/HEAD", S_IFREG);
  if (!found || !*found) return found;
  if (found = is_kind(path + "/commondir", S_IFREG); !found || *found) return found;
  if (found = is_kind(path + "/objects", S_IFDIR); !found || !*found) return found;
  return is_kind(path + "/refs", S_IFDIR);
}

// Returns the resolved path of the repository at `path`; "" without a repository.
Result<std::string> git_dir_at(const std::string& path) {
  auto real = real_path(path);
  if (!real || real->empty()) return real;
  const auto found = is_git_dir(*real);
  if (!found) return found.error();
  return *found ? real : std::string();
}

Error damaged(const std::string& path, const std::string& why) {
  return {ErrorKind::kInvalid, printable(path) + " is damaged: " + why,
          "run `git worktree repair` in the main work tree, or name another folder with --repo",
          printable(path)};
}

Error no_work_tree(const std::string& path) {
  return {ErrorKind::kInvalid, printable(path) + " is a git repository without a work tree",
          "name a work tree of it, or any other folder, with --repo", printable(path)};
}

// Returns the main work tree of a repository; "" if none is known.
Result<std::string> main_work_tree(const std::string& common_dir, const AskGit& ask) {
  if (name_of(common_dir) == ".git") return parent_of(common_dir);
  // A submodule's repository lies elsewhere and names its work tree in its config.
  const auto answer = ask({"--git-dir=" + common_dir, "config", "--get", "core.worktree"});
  const std::string configured(trim(answer));
  return configured.empty() ? configured : real_path(joined(common_dir, configured));
}

// A `.git` file belongs to a linked work tree, a submodule, or a separate git directory.
Result<GitTree> follow_git_file(const std::string& top, const std::string& dot_git,
                                const AskGit& ask) {
  const auto text = small_file(dot_git);
  if (!text) return text.error();
  constexpr std::string_view kHead = "gitdir:";
  if (text->compare(0, kHead.size(), kHead) != 0) {
    return damaged(dot_git, "it should begin with 'gitdir:'");
  }
  const std::string target(trim(std::string_view(*text).substr(kHead.size())));
  if (target.empty() || target.size() >= PATH_MAX || target.find('\0') != std::string::npos ||
      target.find('\n') != std::string::npos) {
    return damaged(dot_git, "it names no folder after 'gitdir:'");
  }
  const auto git_dir = git_dir_at(joined(top, target));
  if (!git_dir) return git_dir.error();
  if (git_dir->empty()) {
    return damaged(dot_git,
                   "it points to '" + printable(target) + "', which is not a git repository");
  }
  GitTree tree{top, top, *git_dir};
  const std::string says_common = *git_dir + "/commondir";
  const auto linked = is_kind(says_common, S_IFREG);
  if (!linked) return linked.error();
  if (!*linked) return tree;

  const auto common = small_file(says_common);
  if (!common) return common.error();
  auto common_dir = git_dir_at(joined(*git_dir, std::string(trim(*common))));
  if (!common_dir) return common_dir.error();
  if (common_dir->empty()) return damaged(says_common, "it points to no git repository");
  tree.common_dir = std::move(*common_dir);
  auto main = main_work_tree(tree.common_dir, ask);
  if (!main) return main.error();
  if (!main->empty()) tree.main_top = std::move(*main);
  return tree;
}

// Returns the work tree whose top is `at`; an empty GitTree if `at` is not the top of one.
Result<GitTree> git_tree_at(const std::string& at, const AskGit& ask) {
  const auto dot_git = real_path(joined(at, ".git"));
  if (!dot_git) return dot_git.error();
  if (!dot_git->empty()) {
    const auto is_file = is_kind(*dot_git, S_IFREG);
    if (!is_file) return is_file.error();
    if (*is_file) return follow_git_file(at, *dot_git, ask);
    // Git also skips a .git folder that is not a repository.
    const auto found = is_git_dir(*dot_git);
    if (!found) return found.error();
    if (*found) return GitTree{at, at, *dot_git};
  }
  const auto bare = is_git_dir(at);
  if (!bare) return bare.error();
  return *bare ? Result<GitTree>(no_work_tree(at)) : GitTree{};
}

// Returns true if an ignore file has `line` ("/name/"), with or without its slashes.
bool has_line(std::string_view text, std::string_view line) {
  const auto bare = line.substr(1, line.size() - 2);
  while (!text.empty()) {
    auto one = trim(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), std::min(text.find('\n'), text.size() - 1) + 1));
    if (!one.empty() && one.front() == '/') one.remove_prefix(1);
    if (!one.empty() && one.back() == '/') one.remove_suffix(1);
    if (one == bare) return true;
  }
  return false;
}

}  // namespace

Result<GitTree> find_git_tree(const std::string& from, const AskGit& ask) {
  char resolved[PATH_MAX];
  const bool absolute = !from.empty() && from[0] == '/';
  if (!absolute || ::realpath(from.c_str(), resolved) == nullptr) {
    return Error::from_errno(absolute ? errno : EINVAL, "find the folder", printable(from));
  }
  const std::string start = resolved;
  struct stat info;
  if (::stat(start.c_str(), &info) != 0)
    return Error::from_errno(errno, "inspect", printable(start));
  if (!S_ISDIR(info.st_mode)) return Error::from_errno(ENOTDIR, "use", printable(start));
  const dev_t device = info.st_dev;

  for (std::string at = start;; at = parent_of(at)) {
    if (::stat(at.c_str(), &info) != 0) {
      if (is_absence(errno)) break;
      return Error::from_errno(errno, "inspect", printable(at));
    }
    if (info.st_dev != device) break;
    const auto here = git_tree_at(at, ask);
    if (!here || !here->top.empty()) return here;
    if (at == "/") break;
  }
  return GitTree{};
}

bool git_tracks(const GitTree& tree, std::string_view name, const AskGit& ask) {
  return !ask({"-C", tree.main_top, "ls-files", "--", std::string(name)}).empty();
}

bool git_excludes(const GitTree& tree, std::string_view line) {
  const auto has = [line](const std::string& folder, const char* file) {
    auto dir = Dir::open(folder);
    if (!dir) return false;
    auto text = dir->read_file(file, kSmallFile);
    return text && has_line(text->bytes, line);
  };
  return has(tree.main_top, ".gitignore") || has(tree.common_dir, "info/exclude");
}

Result<void> git_exclude(const GitTree& tree, std::string_view line) {
  auto dir = Dir::open(tree.common_dir);
  if (!dir) return dir.error();
  if (auto made = dir->make_dirs("info"); !made) return made;
  auto fd = dir->open_update("info/exclude");
  if (!fd) return fd.error();
  const auto failure = [&](std::string_view doing) {
    return Error::from_errno(errno, doing, printable(dir->path_of("info/exclude")));
  };
  while (::flock(fd->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return failure("lock");
  }
  auto now = dir->read_file("info/exclude", kSmallFile);
  if (!now) return now.error();
  if (has_line(now->bytes, line)) return {};
  std::string addition = now->bytes.empty() || now->bytes.back() == '\n' ? "" : "\n";
  addition.append(line).append("\n");
  if (::lseek(fd->get(), 0, SEEK_END) < 0) return failure("write");
  if (const int number = write_all(fd->get(), addition); number != 0) {
    errno = number;
    return failure("write");
  }
  return {};
}

}  // namespace moonlet
