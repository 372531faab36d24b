// A journal line is an envelope around the caller's JSON body. All functions are pure and
// thread-safe. The envelope has a number, the writer's generation, and the hash of the previous
// line. The hash covers the bytes, so that a line has only one valid form, unlike JSON in general.
//
//   {"number":12,"generation":3,"rest_durable":true,"previous":"<hash of line 11>",
//    "hash":"<hash of this one>","body":{…}}          (on one line)
//
// The hash is the first 32 hex digits of the SHA-256 of the line without newline and "hash".
// "rest_durable" means that all earlier lines had reached the disk before this line was written.
// "previous" of the first line is kJournalStart, which names the format's version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

inline constexpr std::string_view kJournalStart = "moonlet-journal-2";
inline constexpr std::size_t kLongestBody = std::size_t{16} << 20;
inline constexpr std::size_t kLongestEnvelope = 256;

struct JournalLine {
  std::uint64_t n = 0;
  std::uint64_t generation = 0;
  bool rest_durable = false;  ///< all earlier lines were on the disk before this line was written
  std::string_view previous;  ///< the hash of the previous line
  std::string_view hash;
  std::string_view body;
};

/// Appends the line with its newline to `out`. Computes and returns the hash, without reading
/// `line.hash`.
std::string append_journal_line(std::string& out, const JournalLine& line);

/// Parses a line without its newline. The result points into `text`. Does not check the hash.
/// Returns no value unless append_journal_line() could have written the line.
std::optional<JournalLine> parse_journal_line(std::string_view text);
/// Returns true for the first line of a journal from an older version of moonlet.
bool is_older_journal(std::string_view text);
/// Returns true if the line's hash is correct.
bool journal_line_is_whole(std::string_view text, const JournalLine& line);

/// Fails with kInvalid unless the body is a single JSON object in valid UTF-8 on one line.
/// Fails with kLimit if the body is nested too deeply or longer than kLongestBody.
Result<void> check_journal_body(std::string_view body);

}  // namespace moonlet
