// An archive of files: the part of tar (ustar) that write_archive() makes, and nothing else. Its
// first file is a manifest, which the caller writes and reads; the files follow in its order. The
// reader builds the header that it expects and compares bytes, so an archive with a link, a device,
// an odd path or an extension is refused as a whole. Blocking; any thread.
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
  std::string name;  ///< in the archive: a relative path
  std::string from;  ///< for the writer: its path beneath the folder that is archived
  std::uint64_t bytes = 0;
  std::string sha256;
};

/// True for a relative path of valid UTF-8 without control characters, backslashes, "." and ".."
/// that a header can hold.
bool is_archivable(std::string_view name);

/// The block of 512 bytes before a file. The caller pads the file with zeros to whole blocks, and
/// ends the archive with two blocks of zeros.
std::string archive_header(std::string_view name, std::uint64_t bytes);

/// Writes `out`/`name` by a temporary file and a rename; it is on the disk on return. kFailed when
/// a file is not what its size and hash say, kLimit when the archive would be too large.
Result<void> write_archive(const Dir& from, std::string_view manifest,
                           const std::vector<ArchivedFile>& files, const Dir& out,
                           std::string_view name);

/// The manifest of an archive; kInvalid when the file does not begin as write_archive() begins.
Result<std::string> read_archive_manifest(const Dir& dir, std::string_view name);

/// Writes the files into the empty folder `into`, for this user only and not executable. Everything
/// that the headers and sizes show is checked before the first write, each hash with its file.
/// kInvalid when the archive is not exactly what `manifest` and `files` say. After an error, `into`
/// holds a part of the files, which the caller removes.
Result<void> extract_archive(const Dir& dir, std::string_view name, std::string_view manifest,
                             const std::vector<ArchivedFile>& files, const Dir& into);

}  // namespace moonlet
