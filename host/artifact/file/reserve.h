// Reserve keeps some disk space free for a run's last records.
// On a full disk, the record of an agent's end and a short answer still fit.
// Reserve owns an unnamed file, which the system frees with the process. Single-threaded.
// Reserve stays empty on a system without unnamed files.
#pragma once

#include <cstdint>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

class Reserve {
 public:
  static constexpr std::uint64_t kSize = 256 * 1024;

  /// Increases the reserved space to kSize bytes, in the file system of `dir_fd`.
  /// Fails on a full disk. Does nothing on a file system that cannot reserve space.
  Result<void> fill(int dir_fd);
  /// Frees space for the next write of `bytes` bytes. At least `others` bytes stay reserved.
  /// Returns false and frees nothing if the reserve is too small.
  bool give(std::uint64_t bytes, std::uint64_t others = 0);

 private:
  Fd file_;
  std::uint64_t left_ = 0;
  bool unknown_ = false;  // the file system cannot reserve space
};

}  // namespace moonlet
