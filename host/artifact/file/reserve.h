// Reserve is a little room on the disk of a run that is kept from everybody else: when the disk is
// full by the time an agent ends, the record of its end and an answer that is not long still find
// their place. Owns a file without a name, which the system frees with the process, whatever ends
// it. It is always empty on a system without such a thing. Worker thread.
#pragma once

#include <cstdint>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

class Reserve {
 public:
  static constexpr std::uint64_t kSize = 256 * 1024;

  /// Brings it up to kSize in the file system of `dir_fd`. Fails where the disk has no room for
  /// that; a file system that cannot keep room free is not a failure.
  Result<void> fill(int dir_fd);
  /// Gives room back to the disk for the `bytes` that its caller writes next; of what is kept for
  /// `others` nothing. False when there is not as much, and then nothing was given.
  bool give(std::uint64_t bytes, std::uint64_t others = 0);

 private:
  Fd file_;
  std::uint64_t left_ = 0;
  bool unknown_ = false;  // to this file system
};

}  // namespace moonlet
