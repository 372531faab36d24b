// Home is the `.agent/` folder at the top of the main git work tree, or of a plain folder.
// Home makes the folder at the first write. It owns the folder's descriptor and the ledger.
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
  /// Finds the home for an absolute `folder` (--repo or the working directory). Writes no file.
  /// Without `ask_git`, the linked work trees of a submodule do not share a home.
  static Result<Home> find(const std::string& folder, AskGit ask_git = no_git);

  /// Returns the folder that contains `.agent`.
  const std::string& root() const { return root_; }
  /// Returns the top of the git work tree around the folder of find(), or outside git that folder.
  /// work_tree() differs from root() in a linked work tree.
  const std::string& work_tree() const { return work_tree_; }
  const GitTree& git() const { return git_; }

  /// Opens `.agent` for reading; nullptr if missing.
  /// Home owns the returned Dir, which is valid until Home is moved or destroyed.
  Result<const Dir*> existing();
  /// Closes `.agent` and the ledger. The next existing() opens the folder anew.
  void close();
  /// Makes `.agent` with its folders and excludes `.agent` from git, unless the user tracks it.
  Result<const Dir*> make();
  /// Opens the ledger; nullptr if `.agent` is missing.
  /// The ledger is valid until Home is closed, moved or destroyed.
  Result<Ledger*> ledger();
  /// Returns a warning if `.agent` could not be excluded from git, otherwise "".
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
  std::unique_ptr<Ledger> ledger_;  // reads dir_, so it must be destroyed before dir_
  bool made_ = false;
  std::string warning_;
};

}  // namespace moonlet
