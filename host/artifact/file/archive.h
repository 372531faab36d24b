// Writes and reads archives in a subset of tar (ustar). Blocking; any thread.
// An archive starts with the caller's manifest; the other files follow in the manifest's order.
// The reader builds the header that each file must have, and compares it byte by byte.
// The comparison fails for a link, a device, an odd path or an extension.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

inline constexpr std::string_view kArchiveManifest = "moonlet-record.json";
inline constexpr std::uint64_t kLongestManifest = std::uint64_t{32} << 20;
inline constexpr std::uint64_t kLargestArchive = std::uint64_t{2} << 30;
inline constexpr std::size_t kMostArchived = 100'000;

struct ArchivedFile {
  std::string name;  ///< the relative path in the archive
  std::string from;  ///< only for write_archive(): the path below the archived folder
  std::uint64_t bytes = 0;
  std::string sha256;
};

/// Returns true for a relative path of valid UTF-8 that fits in a header.
/// Refuses names with control characters, backslashes, "." and "..".
bool is_archivable(std::string_view name);

/// Returns a file's header block of 512 bytes.
/// The caller pads each file with zeros to whole blocks.
/// The caller ends the archive with two blocks of zeros.
std::string archive_header(std::string_view name, std::uint64_t bytes);

/// Writes `out`/`name` atomically and durably. Fails with kLimit if the archive would be too large.
/// Fails with kFailed if a file does not match its size and hash.
Result<void> write_archive(const Dir& from, std::string_view manifest,
                           const std::vector<ArchivedFile>& files, const Dir& out,
                           std::string_view name);

/// Returns the manifest of an archive. Fails with kInvalid if the file is not an archive.
Result<std::string> read_archive_manifest(const Dir& dir, std::string_view name);

/// Extracts the files into the empty folder `into`, private and not executable.
/// Checks all headers and sizes before the first write, and each hash after its file is written.
/// Fails with kInvalid unless the archive exactly matches `manifest` and `files`.
/// After a failure, `into` may contain files; the caller removes them.
Result<void> extract_archive(const Dir& dir, std::string_view name, std::string_view manifest,
                             const std::vector<ArchivedFile>& files, const Dir& into);

}  // namespace moonlet
