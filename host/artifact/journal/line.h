// One line of a journal: an envelope around a body that is the caller's. The envelope numbers the
// line, names the generation of its writer, and chains it to the line before by hashes, so that a
// line shows by itself whether it is whole. The hash covers the bytes, so a line must have one
// exact form: a JSON parser would accept other bytes for the same values. Pure functions, any
// thread.
//
//   {"number":12,"generation":3,"rest_durable":true,"previous":"<hash of line 11>",
//    "hash":"<hash of this one>","body":{…}}          (on one line)
//
// The hash is the first 32 hex digits of the SHA-256 of the line without its newline and without
// the field "hash". "rest_durable" stands where all lines before this one had reached the disk when
// it was written. The first line's "previous" is kJournalStart, which names the format's version.
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
  bool rest_durable = false;  ///< all lines before it were durable
  std::string_view previous;  ///< the hash of the line before
  std::string_view hash;
  std::string_view body;
};

/// Appends the line, with its newline, to `out`; `line.hash` is ignored. Returns the hash.
std::string append_journal_line(std::string& out, const JournalLine& line);

/// The parts of a line (without its newline), which point into `text`; empty when it is not exactly
/// of the form that append_journal_line() makes. The hash is not compared.
std::optional<JournalLine> parse_journal_line(std::string_view text);
/// True for the first line of a journal from an older version of moonlet.
bool is_older_journal(std::string_view text);
/// True if the parsed line has the hash that it states.
bool journal_line_is_whole(std::string_view text, const JournalLine& line);

/// kInvalid when it is not one JSON object, in valid UTF-8, on one line; kLimit when it is nested
/// too deeply or longer than kLongestBody.
Result<void> check_journal_body(std::string_view body);

}  // namespace moonlet
