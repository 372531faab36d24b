// Reads a journal in bounded memory, and checks the hash and the chain of every line.
// Distinguishes damage from an incomplete last line, which a kill or a power cut leaves.
// Reading needs no lock and changes no file. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

inline constexpr const char* kJournalName = "steps.jsonl";

struct JournalRecord {
  std::uint64_t n = 0;           ///< the record's number, from 1, without gaps
  std::uint64_t generation = 0;  ///< the lock's generation when the record was written
  std::string_view body;         ///< a JSON object; valid during the call
  std::uint64_t offset = 0;      ///< offset of the line in the file
  std::size_t length = 0;        ///< length of the line, without the newline
};

struct JournalDamage {
  std::uint64_t line = 0;  ///< the line's number in the file, from 1
  std::string why;
  bool other_format = false;  ///< true if the cause is another version of moonlet, not damage
};

struct JournalReport {
  std::uint64_t records = 0;
  /// The number of lines that a host wrote after losing the lock. They do not count as records.
  std::uint64_t fenced = 0;
  std::uint64_t generation = 0;  ///< the highest lock generation in any record
  /// The size of an unfinished write at the end of the file. None of its records was durable.
  std::uint64_t torn_bytes = 0;
  /// The first line that was changed, lost or duplicated after it was written.
  std::optional<JournalDamage> damage;

  // A writer needs the next members to continue the file.
  std::uint64_t whole_bytes = 0;  ///< the size without the unfinished write at the end
  bool lacks_newline = false;     ///< the file ends with a valid line that has no newline
  std::string last_hash;          ///< the hash of the last record
};

using JournalVisitor = std::function<void(const JournalRecord&)>;

/// Reads the journal of a run. A missing journal counts as empty.
/// Damage is reported in the result; `visit` gets all records before the damage.
Result<JournalReport> read_journal(const Dir& run_dir, const JournalVisitor& visit);
/// Reads an open file from its start. `path` appears in error messages.
Result<JournalReport> read_journal(int fd, const std::string& path, const JournalVisitor& visit);
/// Checks the journal like read_journal(), but returns only the report.
Result<JournalReport> verify_journal(const Dir& run_dir);
/// Returns the newest lock generation in the journal; 0 for an empty journal.
Result<std::uint64_t> newest_generation(const Dir& run_dir);

}  // namespace moonlet
