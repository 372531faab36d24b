// One line of a journal: an envelope around a body that is the caller's. The envelope numbers the
// line, names the generation of its writer, and chains it to the line before by hashes, so that a
// line shows by itself whether it is whole. The hash is of the bytes, so a line is taken apart by
// its exact form; a JSON reader would accept other bytes for the same values. Pure functions, any
// thread.
//
//   {"n":12,"g":3,"d":1,"p":"<hash of line 11>","h":"<hash of this one>","body":{…}}
//
// The hash is the first 32 hex digits of the SHA-256 of the line without its newline and without
// the field "h". "d" stands where all lines before this one had reached the disk when it was
// written. The first line's "p" is kJournalStart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.h"

namespace moonlet {

inline constexpr std::string_view kJournalStart = "moonlet-journal-1";
inline constexpr std::size_t kLongestBody = std::size_t{16} << 20;
inline constexpr std::size_t kLongestEnvelope = 256;

struct JournalLine {
  std::uint64_t n = 0;
  std::uint64_t generation = 0;
  bool rest_durable = false;  ///< "d"
  std::string_view previous;  ///< "p"
  std::string_view hash;      ///< "h"
  std::string_view body;
};

/// Appends the line, with its newline, to `out`; `line.hash` is ignored. Returns the hash.
std::string append_journal_line(std::string& out, const JournalLine& line);

/// The parts of a line (without its newline), which point into `text`; empty when it is not exactly
/// of the form that append_journal_line() makes. The hash is not compared.
std::optional<JournalLine> parse_journal_line(std::string_view text);
/// True when the line, which parsed, has the hash that it names.
bool journal_line_is_whole(std::string_view text, const JournalLine& line);

/// kInvalid when it is not one JSON object, in valid UTF-8, on one line; kLimit when it is nested
/// too deeply or longer than kLongestBody.
Result<void> check_journal_body(std::string_view body);

}  // namespace moonlet
