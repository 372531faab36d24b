// The input manifest lists the inputs of an agent with sizes and digests, as markdown.
// load_file reads an input in bounded memory. Single-threaded.
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
  std::string spec;  ///< the input as the user wrote it, such as "glob:src/*.cpp"
  InputKind kind = InputKind::kText;
  std::string path;  ///< the file, or the command; may be empty
  std::uint64_t bytes = 0;
  std::uint64_t kept = 0;  ///< the number of the input's bytes in the prompt
  std::string sha256;      ///< the hash of the whole input; empty if unread
  bool cut = false;
  bool binary = false;
  std::string error;  ///< why the input is missing; usually empty
};

/// Inputs above this size are refused, because no agent reads that much text.
constexpr std::uint64_t kLargestInput = std::uint64_t{64} << 20;

/// Sets `bytes`, `kept`, `sha256`, `cut` and `binary` of `entry` for `text`. Returns the part of
/// `text` for the prompt, at most `cap` bytes of it, as valid UTF-8; for binary data only a note.
std::string take_text(InputEntry& entry, std::string_view text, std::size_t cap);
/// Reads the regular file `entry.path` below `dir`, and otherwise works like take_text().
/// Sets `entry.error` on failure.
std::string load_file(InputEntry& entry, const Dir& dir, std::size_t cap);

/// Formats input-manifest.md as a table, with names escaped.
std::string manifest_markdown(const std::vector<InputEntry>& entries);

}  // namespace moonlet
