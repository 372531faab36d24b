// The input manifest: the inputs of an agent, file by file, with sizes and digests, as
// markdown. load_file reads one input in bounded memory. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"

namespace moonlet {

enum class InputKind { kFile, kGlob, kCmd, kDiff, kText };
std::string_view to_string(InputKind kind);

struct InputEntry {
  std::string spec;  ///< as the user wrote it: "glob:src/*.cpp"
  InputKind kind = InputKind::kText;
  std::string path;  ///< the file, or the command; may be empty
  std::uint64_t bytes = 0;
  std::uint64_t kept = 0;  ///< the part of `bytes` that the prompt holds
  std::string sha256;      ///< the hash of the whole; empty when it was not read
  bool cut = false;
  bool binary = false;
  std::string error;  ///< the reason that it is missing; empty when all is well
};

/// Larger files are refused: an agent reads text, and nobody reads that much of it.
constexpr std::uint64_t kLargestInput = std::uint64_t{64} << 20;

/// Takes a text that is at hand: fills bytes, kept, sha256, cut and binary, and returns the part
/// for the prompt: valid UTF-8, at most `cap` bytes of it (for binary data a note).
std::string take_text(InputEntry& entry, std::string_view text, std::size_t cap);
/// The same for the regular file entry.path beneath `dir`. Failures are in entry.error.
std::string load_file(InputEntry& entry, const Dir& dir, std::size_t cap);

class Manifest {
 public:
  void add(InputEntry entry) { entries_.push_back(std::move(entry)); }
  const std::vector<InputEntry>& entries() const { return entries_; }

  /// input-manifest.md: a table that no name can break.
  std::string markdown() const;

 private:
  std::vector<InputEntry> entries_;
};

}  // namespace moonlet
