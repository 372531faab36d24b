// MarkerScanner finds the output markers of task executors in a stream: [PROGRESS], [QUESTION],
// [BLOCKED], [FILES_MODIFIED], [CODEX_COMPLETE]. Only at the start of a line, never inside code
// fences or quotes. Fed in chunks of any size, in bounded memory. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

enum class MarkerKind { kProgress, kQuestion, kBlocked, kFilesModified, kComplete };
/// "progress", "question", "blocked", "files_modified", "complete".
std::string_view to_string(MarkerKind kind);

struct FileChange {
  std::string path;
  std::string change;  ///< lower case: "created", "modified", "deleted" …; empty when not said
};

/// All texts are bytes as they came (maybe no UTF-8), trimmed, cut at the caps.
struct Marker {
  MarkerKind kind = MarkerKind::kProgress;
  std::string text;                         ///< what follows the marker
  std::vector<std::string> options;         ///< of a question
  std::vector<FileChange> files;            ///< of [FILES_MODIFIED]
  std::optional<std::uint64_t> iterations;  ///< of "Task completed in N iterations"
  std::uint64_t line = 0;                   ///< where it stood, from 1
  bool cut = false;                         ///< true when a cap took something away
};

class MarkerScanner {
 public:
  static constexpr std::size_t kLineCap = 64 * 1024;  ///< bytes of a line that are looked at
  static constexpr std::size_t kTextCap = 64 * 1024;  ///< bytes of a question's text
  static constexpr std::size_t kMaxOptions = 64;
  static constexpr std::size_t kMaxFiles = 10'000;

  /// `handler` is called from feed() and finish(), in the order of the markers. A question and a
  /// file list arrive when their last line is known to have been the last.
  explicit MarkerScanner(std::function<void(const Marker&)> handler)
      : handler_(std::move(handler)) {}

  void feed(std::string_view chunk);
  /// The stream is over: what is pending arrives, and the scanner is as new.
  void finish();

 private:
  enum class Block { kNone, kQuestion, kOptions, kFiles };

  void line(std::string_view text, bool cut);
  void busy_line(std::string_view text, bool cut);
  bool fence_line(std::string_view text);
  bool open_fence(std::string_view text);
  bool marker_line(std::string_view text, bool cut);
  bool block_line(std::string_view text, bool cut);
  bool question_line(std::string_view text);
  bool option_line(std::string_view text);
  bool files_line(std::string_view text);
  void emit();

  std::function<void(const Marker&)> handler_;

  std::string partial_;  // the start of a line whose end has not come yet
  bool open_ = false;    // such a line has begun
  bool long_ = false;    // and is longer than the cap
  std::uint64_t lines_ = 0;

  char fence_ = 0;  // the character of the fence we are in
  std::size_t fence_size_ = 0;
  std::size_t fence_column_ = 0;  // where the list item around it begins; 0 outside lists

  Block block_ = Block::kNone;  // what the next lines may belong to
  bool blank_ = false;          // a blank line stood just before
  Marker pending_;
};

}  // namespace moonlet
