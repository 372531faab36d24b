#include "host/artifact/run/home.h"

#include <limits.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::string_view kName = ".agent";

}  // namespace

Result<Home> Home::find(const std::string& folder, AskGit ask_git) {
  auto git = find_git_tree(folder, ask_git);
  if (!git) return git.error();
  if (!git->top.empty()) {
    return Home(git->main_top, git->top, *git, std::move(ask_git));
  }
  char resolved[PATH_MAX];
  if (::realpath(folder.c_str(), resolved) == nullptr) {
    return Error::from_errno(errno, "find the folder", printable(folder));
  }
  return Home(resolved, resolved, *git, std::move(ask_git));
}

Result<const Dir*> Home::existing() {
  if (dir_) return &*dir_;
  auto root = Dir::open(root_);
  if (!root) return root.error();
  auto dir = root->dir(kName);
  if (!dir && dir.error().kind == ErrorKind::kInvalid && !root->exists(kName)) return nullptr;
  if (!dir) return dir.error();
  dir_ = std::move(*dir);
  return &*dir_;
}

void Home::close() {
  ledger_.reset();
  dir_.reset();
  made_ = false;
}

Result<const Dir*> Home::make() {
  if (made_) return &*dir_;
  auto root = Dir::open(root_);
  if (!root) return root.error();
  if (auto result = root->make_dirs(kName, Durable::kYes); !result) return result.error();
  auto found = existing();
  if (!found) return found;
  for (const char* name : {"runs", "sidecars", "tasks", "live"}) {
    if (auto result = dir_->make_dirs(name, Durable::kYes); !result) return result.error();
  }
  constexpr std::string_view kLine = "/.agent/";
  if (!git_.top.empty() && !git_excludes(git_, kLine) && !git_tracks(git_, kName, ask_git_)) {
    if (auto result = git_exclude(git_, kLine); !result) {
      warning_ = ".agent is not excluded from git: " + result.error().message;
    }
  }
  made_ = true;
  return &*dir_;
}

Result<Ledger*> Home::ledger() {
  auto agent = existing();
  if (!agent) return agent.error();
  if (*agent == nullptr) return nullptr;
  if (!ledger_) ledger_ = std::make_unique<Ledger>(**agent);
  return ledger_.get();
}

}  // namespace moonlet
