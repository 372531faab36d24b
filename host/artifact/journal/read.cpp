#include "host/artifact/journal/read.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/artifact/journal/line.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10;
constexpr const char* kOtherFormat =
    "another version of moonlet began the journal, in another format";
constexpr std::size_t kLongestLine = kLongestBody + kLongestEnvelope;

class Reader {
 public:
  explicit Reader(const JournalVisitor& visit) : visit_(visit) {
    report_.last_hash = kJournalStart;
  }

  /// Checks a line and passes its record on. `ended` is false for text after the last newline.
  void line(std::string_view text, std::uint64_t offset, bool too_long, bool ended) {
    ++lines_;
    if (bad_) {
      look_beyond(text, too_long);
      return;
    }
    const auto parsed = too_long ? std::nullopt : parse_journal_line(text);
    const char* why =
        too_long ? "it is longer than any line that moonlet writes" : problem_of(text, parsed);
    if (why == nullptr) return accept(text, *parsed, offset, ended);
    if (!ended) return;  // an incomplete last line, which finish() reports
    bad_ = JournalDamage{lines_, why, why == kOtherFormat};
    look_beyond(text, too_long);
  }

  JournalReport finish(std::uint64_t size) {
    report_.torn_bytes = size - report_.whole_bytes;
    // A power cut damages only the last batch, in which it leaves zeros.
    // Any other fault means that a complete line was changed later.
    const bool certain = bad_ && (durable_beyond_ || !zeros_beyond_);
    if (certain || report_.torn_bytes > kLongestTorn) {
      report_.damage = bad_ ? *bad_ : JournalDamage{lines_, "it has no end"};
      report_.torn_bytes = 0;
    }
    return std::move(report_);
  }

 private:
  static constexpr std::uint64_t kLongestTorn = kLongestLine + (std::uint64_t{8} << 20);

  const char* problem_of(std::string_view text, const std::optional<JournalLine>& line) const {
    if (!line && lines_ == 1 && is_older_journal(text)) return kOtherFormat;
    if (!line) return "it is not a line of a journal";
    if (!journal_line_is_whole(text, *line)) return "its bytes were changed";
    if (line->generation < report_.generation) return nullptr;
    if (line->n == report_.records + 1 && line->previous == report_.last_hash) return nullptr;
    // Each format of the journal begins with its own start hash.
    if (line->n == 1 && line->previous != kJournalStart) return kOtherFormat;
    if (line->n <= report_.records) return "it occurs twice, or out of order";
    return "lines before it are missing";
  }

  void accept(std::string_view text, const JournalLine& line, std::uint64_t offset, bool ended) {
    report_.whole_bytes = offset + text.size() + (ended ? 1 : 0);
    report_.lacks_newline = !ended;
    if (line.generation < report_.generation) {
      ++report_.fenced;
      return;
    }
    report_.generation = line.generation;
    report_.last_hash = line.hash;
    ++report_.records;
    if (visit_) visit_({line.n, line.generation, line.body, offset, text.size()});
  }

  // Searches the lines after the first bad line for a valid line with `rest_durable`.
  // Such a line proves that the bad line had been synced.
  void look_beyond(std::string_view text, bool too_long) {
    zeros_beyond_ = zeros_beyond_ || text.find('\0') != std::string_view::npos;
    if (durable_beyond_ || too_long) return;
    const auto line = parse_journal_line(text);
    durable_beyond_ = line && line->rest_durable && journal_line_is_whole(text, *line);
  }

  const JournalVisitor& visit_;
  JournalReport report_;
  std::uint64_t lines_ = 0;
  std::optional<JournalDamage> bad_;
  bool durable_beyond_ = false;
  bool zeros_beyond_ = false;
};

/// Splits input into lines. Keeps only the start of a too long line.
class Splitter {
 public:
  explicit Splitter(Reader& reader) : reader_(reader) {}

  void feed(std::string_view chunk) {
    while (!chunk.empty()) {
      const auto newline = chunk.find('\n');
      const auto part = chunk.substr(0, newline);
      if (newline == std::string_view::npos) {
        keep(part);
        return;
      }
      std::string_view line = part;
      if (!pending_.empty()) {
        keep(part);
        line = pending_;
      }
      const std::uint64_t size = dropped_ + line.size();
      reader_.line(line, offset_, dropped_ > 0, true);
      offset_ += size + 1;
      pending_.clear();
      dropped_ = 0;
      chunk.remove_prefix(newline + 1);
    }
  }

  JournalReport finish() {
    const std::uint64_t size = offset_ + dropped_ + pending_.size();
    if (!pending_.empty()) reader_.line(pending_, offset_, dropped_ > 0, false);
    return reader_.finish(size);
  }

 private:
  void keep(std::string_view part) {
    const std::size_t room = kLongestLine - std::min(kLongestLine, pending_.size());
    pending_ += part.substr(0, room);
    dropped_ += part.size() - std::min(part.size(), room);
  }

  Reader& reader_;
  std::string pending_;
  std::uint64_t dropped_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<JournalReport> read_journal(int fd, const std::string& path, const JournalVisitor& visit) {
  Reader reader(visit);
  Splitter splitter(reader);
  std::string buffer(kChunk, '\0');
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "read", printable(path));
    if (got == 0) break;
    at += got;
    splitter.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
  return splitter.finish();
}

Result<JournalReport> read_journal(const Dir& run_dir, const JournalVisitor& visit) {
  auto fd = run_dir.open_read(kJournalName);
  if (fd) return read_journal(fd->get(), run_dir.path_of(kJournalName), visit);
  if (fd.error().kind == ErrorKind::kInvalid && !run_dir.exists(kJournalName)) {
    JournalReport empty;
    empty.last_hash = kJournalStart;
    return empty;
  }
  return fd.error();
}

Result<JournalReport> verify_journal(const Dir& run_dir) { return read_journal(run_dir, nullptr); }

Result<std::uint64_t> newest_generation(const Dir& run_dir) {
  auto report = verify_journal(run_dir);
  if (!report) return report.error();
  return report->generation;
}

}  // namespace moonlet
