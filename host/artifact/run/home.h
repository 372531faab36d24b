// Home is the `.agent/` folder: found at the top of the main git work tree, else in the folder
// itself; made only when something is written. It owns the folder's descriptor and the connection
// to the ledger in it. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/artifact/file/dir.h"
#include "host/artifact/ledger/ledger.h"
#include "host/artifact/run/git_tree.h"
#include "host/base/result.h"

namespace moonlet {

class Home {
 public:
  /// Finds the home for a folder (absolute: the one of --repo, else the working directory). Writes
  /// no file. Without `ask_git` a submodule's work trees do not find its home, and `.agent` counts
  /// as untracked.
  static Result<Home> find(const std::string& folder, AskGit ask_git = no_git);

  /// The folder that holds `.agent`.
  const std::string& root() const { return root_; }
  /// The user's place of work: the top of the work tree the folder lies in, else the folder itself.
  /// In a linked work tree it differs from root().
  const std::string& work_tree() const { return work_tree_; }
  const GitTree& git() const { return git_; }

  /// `.agent` when it exists, else nullptr. For commands that only read. Home owns the result of
  /// this and of make(): valid until it is moved or destroyed.
  Result<const Dir*> existing();
  /// `.agent` with runs, sidecars, tasks and live in it, made where missing, and excluded from git
  /// unless the user tracks it.
  Result<const Dir*> make();
  /// The ledger of `.agent`, nullptr where the folder is missing. Valid as long as the result of
  /// existing().
  Result<Ledger*> ledger();
  /// Why `.agent` could not be excluded from git; empty when all is well. Not worth failing for.
  const std::string& warning() const { return warning_; }

 private:
  Home(std::string root, std::string work_tree, GitTree git, AskGit ask_git)
      : root_(std::move(root)),
        work_tree_(std::move(work_tree)),
        git_(std::move(git)),
        ask_git_(std::move(ask_git)) {}
  static std::string no_git(const std::vector<std::string>&) { return {}; }

  std::string root_;
  std::string work_tree_;
  GitTree git_;
  AskGit ask_git_;
  std::optional<Dir> dir_;
  std::unique_ptr<Ledger> ledger_;  // reads dir_: goes before it
  bool made_ = false;
  std::string warning_;
};

}  // namespace moonlet
