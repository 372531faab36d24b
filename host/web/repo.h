// Repo is a work tree that the page shows, with its `.agent` folder and the folders of its runs.
// Only reads. One thread.
#pragma once

#include <optional>
#include <string>

#include "host/artifact/run/home.h"
#include "host/base/result.h"

namespace moonlet::web {

class Repo {
 public:
  /// Opens an existing folder by its absolute path. A folder without `.agent` has no runs.
  static Result<Repo> open(const std::string& folder);

  /// Returns the folder that commands get as --repo.
  const std::string& folder() const { return folder_; }
  /// Returns `.agent`; null until moonlet has run in the work tree. A removed or replaced `.agent`
  /// is opened again, so the Dir is valid only until the next call.
  const Dir* agent();
  /// Returns true if the work tree is not writable. Commands with side effects then fail.
  bool is_read_only();
  /// Opens the public folder of a run. Fails with kInvalid if it does not exist (yet).
  Result<Dir> sidecar(const std::string& run);

 private:
  Repo(std::string folder, Home home) : folder_(std::move(folder)), home_(std::move(home)) {}

  std::string folder_;
  Home home_;
};

}  // namespace moonlet::web
