// Terminal is a session's end of a pseudo-terminal: the screen, the log, what is typed into it, and
// the facts by which others judge whether its program is alive. Secrets are replaced before a byte
// is kept or shown; only a person who has taken the session over sees the bytes as they come. Owns
// the controlling end, except for reading. Knows no socket. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/session/log.h"
#include "host/process/session/screen.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet {

/// A part of what is typed.
struct TypedPart {
  enum class Kind : std::uint8_t {
    kText,   ///< as a person types or pastes it
    kKey,    ///< the name of a key, see Screen::press()
    kBytes,  ///< as it is
  };
  Kind kind = Kind::kText;
  std::string text;
};

class Terminal {
 public:
  static constexpr std::size_t kMostWaiting = 1u << 20;  ///< typed bytes not yet read
  static constexpr const char* kScreenName = "screen.json";
  static constexpr const char* kEventsName = "events.jsonl";

  struct Options {
    int dir_fd = -1;  ///< the session's folder, with the log in it; duplicated
    std::uint64_t log_cap = 0;
    ScreenSize size;
    std::shared_ptr<const Redactor> redactor;
    std::int64_t now_ms = 0;  ///< monotonic
  };
  struct Opened {
    std::unique_ptr<Terminal> terminal;
    int reading = -1;  ///< for the program's output, non-blocking; the caller's
    Fd program;        ///< the program's stdin, stdout and stderr
  };
  static Result<Opened> open(Options options);

  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Handles the next output of the program. Under heavy output, drawing is deferred to tend() or
  /// settle().
  void feed(std::string_view bytes, std::int64_t now_ms);
  /// Draws all output that feed() has deferred. Call it before reading the screen.
  void settle();
  /// Draws deferred output that is due, and writes typed bytes to the program. True if some output
  /// or typed bytes still wait: call it again within a few milliseconds.
  bool tend(std::int64_t now_ms);
  /// Ends the output: closes the log and writes the last screen beside it. Returns how many bytes
  /// came and how many the log has. `make_room` is called to free space on a full disk.
  Captured finish(std::int64_t now_ms, const Capture::MakeRoom& make_room = nullptr);

  /// Types the parts in order. Refuses an unknown key, and input that nobody would read. Does
  /// nothing if `tag` was used before.
  Result<void> type(const std::vector<TypedPart>& parts, std::string_view tag, std::int64_t now_ms);
  void resize(ScreenSize size, std::int64_t now_ms);
  /// Checks the screen for a new line, and retries writes that a full disk has refused. Call it
  /// about once a second.
  void sample(std::int64_t now_ms);

  /// The screen and all facts, as JSON; `main` is the program's process.
  std::string describe(pid_t main, std::size_t history, std::int64_t now_ms) const;
  Screen& screen() { return screen_; }
  /// Sets a receiver of the program's raw output; nullptr removes it.
  void attach(std::function<void(std::string_view)> sink, std::int32_t pid);
  /// The pid of the process that is attached to the session; 0 if none.
  std::int32_t attached() const { return attached_; }

 private:
  explicit Terminal(Options options);
  void keep(std::string_view bytes, std::int64_t now_ms);
  void flush();
  void saw_line(std::string_view text);
  void watch_rate(std::size_t bytes, std::int64_t now_ms);
  void record_holes(const Capture::MakeRoom& make_room = nullptr);
  void save_screen(std::int64_t now_ms, const Capture::MakeRoom& make_room);

  Fd dir_, master_;
  std::shared_ptr<const Redactor> redactor_;
  std::unique_ptr<StreamRedactor> stream_;
  SessionLog log_;
  std::string events_;                          // lines that are not in events.jsonl yet
  std::string waiting_;                         // typed, and not yet taken by the system
  std::unordered_set<std::string> typed_tags_;  // what was typed under a name
  std::function<void(std::string_view)> sink_;
  std::int32_t attached_ = 0;
  bool is_typing_ = false;  // answers of the screen are what was typed, not the terminal's own

  std::int64_t started_ms_ = 0, now_ms_ = 0;
  std::int64_t output_ms_ = 0, input_ms_ = 0, novel_ms_ = 0;
  std::uint64_t input_at_ = 0;  // the end of the log when something was typed last
  std::uint64_t input_bytes_ = 0;
  std::uint64_t repeats_ = 0;  // lines since the last new one that had been there before
  std::uint64_t sampled_version_ = 0;
  std::int64_t rate_since_ms_ = 0;
  std::size_t rate_bytes_ = 0;  // since then
  std::string undrawn_;         // of a flood
  std::int64_t undrawn_since_ms_ = 0;
  std::deque<std::uint64_t> seen_order_;
  std::unordered_set<std::uint64_t> seen_;  // hashes of lines, newest kSeen
  Screen screen_;                           // last: it calls the functions above
};

/// The screen of a program that printed `bytes`, as describe() shows it.
std::string replay_screen(std::string_view bytes, int rows, int cols, std::size_t history);

}  // namespace moonlet
