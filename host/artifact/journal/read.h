// Reading a journal: streamed in bounded memory, every line checked by its hash and its place in
// the chain. It distinguishes damage from an end that a kill or a power cut tore. It needs no lock
// and changes no file. Any thread.
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
  std::uint64_t n = 0;           ///< from 1, without gaps
  std::uint64_t generation = 0;  ///< the lock's generation when it was written
  std::string_view body;         ///< a JSON object; valid during the call
  std::uint64_t offset = 0;      ///< offset of its line in the file
  std::size_t length = 0;        ///< length of its line, without the newline
};

struct JournalDamage {
  std::uint64_t line = 0;  ///< from 1, as an editor counts
  std::string why;
};

struct JournalReport {
  std::uint64_t records = 0;
  /// Lines of a holder that had been taken over when it wrote them: whole, but they do not count.
  std::uint64_t fenced = 0;
  std::uint64_t generation = 0;  ///< the newest
  /// The bytes at the end that belong to a write which never ended; none of them was durable.
  std::uint64_t torn_bytes = 0;
  /// The first line that was changed, lost or doubled after it had been written.
  std::optional<JournalDamage> damage;

  // The position to go on from:
  std::uint64_t whole_bytes = 0;  ///< from the start; the rest is torn
  bool lacks_newline = false;     ///< the last whole line has none
  std::string last_hash;          ///< the hash of the last record
};

/// Called for each record in order.
using JournalVisitor = std::function<void(const JournalRecord&)>;

/// Reads the journal of a run. Damage is in the report, and the records before it have been
/// visited; only a file that cannot be read is an error. A missing journal counts as empty.
Result<JournalReport> read_journal(const Dir& run_dir, const JournalVisitor& visit);
/// The same on an open file, which is read from its start; `path` is for messages.
Result<JournalReport> read_journal(int fd, const std::string& path, const JournalVisitor& visit);
/// Only looks: is every byte as it was written?
Result<JournalReport> verify_journal(const Dir& run_dir);
/// The newest generation that has written there; 0 for none.
Result<std::uint64_t> newest_generation(const Dir& run_dir);

}  // namespace moonlet
