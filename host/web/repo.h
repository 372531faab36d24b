// Repo is a work tree that the page shows, with its `.agent` folder and the folders of its runs. It
// never writes. One thread.
#pragma once

#include <string>

#include "host/artifact/run/home.h"
#include "host/base/result.h"

namespace moonlet::web {

/// Returns true if the absolute path `path` still leads to the open folder `folder`.
bool is_at(const Dir& folder, const std::string& path);

class Repo {
 public:
  /// Opens an existing folder by its absolute path. It need not have an `.agent` folder.
  static Result<Repo> open(const std::string& folder);

  /// Returns the path that commands get as --repo.
  const std::string& folder() const { return folder_; }
  /// Returns the `.agent` folder, or null if moonlet has not run in the work tree yet. Opens it
  /// again if it was removed or replaced, so the Dir is valid only until the next call.
  const Dir* agent();
  /// Returns true if `.agent` is not writable, so that commands with side effects would fail.
  bool is_read_only();
  /// Opens the sidecar folder of a run, which has its events and artifacts. Fails with kInvalid if
  /// the run has none yet.
  Result<Dir> sidecar(const std::string& run);

 private:
  Repo(std::string folder, Home home) : folder_(std::move(folder)), home_(std::move(home)) {}

  std::string folder_;
  Home home_;
};

}  // namespace moonlet::web
