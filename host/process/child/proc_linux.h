// Reads files of /proc, and any other file that the system generates. Any thread.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <algorithm>
#include <string>

#include "host/base/fd.h"

namespace moonlet {

/// Sets `text` to the first `limit` bytes of a file, or to the whole file if it is shorter. Returns
/// false after a read error.
inline bool read_proc(const std::string& path, std::string& text, std::size_t limit = 8192) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  long got = fd ? 1 : -1;
  text.clear();
  while (got > 0 && text.size() < limit) {
    got = read_some(fd.get(), buffer, std::min(sizeof buffer, limit - text.size()));
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
  return got >= 0;
}

/// Returns the start of a process's file; "" if it cannot be read.
inline std::string read_proc(pid_t pid, const char* file, std::size_t limit = 8192) {
  std::string text;
  return read_proc("/proc/" + std::to_string(pid) + "/" + file, text, limit) ? text : "";
}

}  // namespace moonlet
