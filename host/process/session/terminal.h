// Terminal is the controlling end of a session's pseudo-terminal. Single-threaded. Terminal has the
// screen, the log, typed input, and facts about the program's activity. Secrets are redacted before
// output is stored or shown; only an attached user sees raw bytes. Terminal owns the controlling
// end, but other code reads from it. Terminal uses no socket.
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

struct TypedPart {
  enum class Kind : std::uint8_t {
    kText,   ///< text, as if a user typed or pasted it
    kKey,    ///< the name of a key, see Screen::press()
    kBytes,  ///< unchanged bytes
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
    int dir_fd = -1;  ///< the session's folder, for the log; open() duplicates it
    std::uint64_t log_cap = 0;
    ScreenSize size;
    std::shared_ptr<const Redactor> redactor;
    std::int64_t now_ms = 0;  ///< the present time, on a monotonic clock
  };
  struct Opened {
    std::unique_ptr<Terminal> terminal;
    int reading = -1;  ///< non-blocking, for the program's output; owned by the caller
    Fd program;        ///< the program's stdin, stdout and stderr
  };
  static Result<Opened> open(Options options);

  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Handles the program's next output. Heavy output is drawn later by tend() or settle().
  void feed(std::string_view bytes, std::int64_t now_ms);
  /// Draws all deferred output. Call settle() before reading the screen.
  void settle();
  /// Draws deferred output that has waited long enough, and writes typed bytes to the program.
  /// Returns true if work remains: call tend() again within a few milliseconds.
  bool tend(std::int64_t now_ms);
  /// Ends the output: closes the log and writes the last screen to kScreenName.
  /// Returns the numbers of received and stored bytes. `make_room` frees space on a full disk.
  Captured finish(std::int64_t now_ms, const Capture::MakeRoom& make_room = nullptr);

  /// Types the parts in order. Refuses an unknown key, and input that no program reads.
  /// Types nothing if `tag` was used before.
  Result<void> type(const std::vector<TypedPart>& parts, std::string_view tag, std::int64_t now_ms);
  void resize(ScreenSize size, std::int64_t now_ms);
  /// Checks whether the screen shows a line that was not seen lately.
  /// Retries writes that a full disk refused. Call sample() about once a second.
  void sample(std::int64_t now_ms);

  /// Returns the screen and all facts as JSON. `main` is the program's process.
  std::string describe(pid_t main, std::size_t history, std::int64_t now_ms) const;
  Screen& screen() { return screen_; }
  /// Sets a receiver of the program's raw output; nullptr removes it.
  void attach(std::function<void(std::string_view)> sink, std::int32_t pid);
  /// Returns the pid of the attached process; 0 if none.
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
  std::string waiting_;                         // typed bytes that the system has not accepted yet
  std::unordered_set<std::string> typed_tags_;  // tags of typed input, to ignore duplicates
  std::function<void(std::string_view)> sink_;
  std::int32_t attached_ = 0;
  bool is_typing_ = false;  // true: screen_ encodes typed input; false: it answers queries

  std::int64_t started_ms_ = 0, now_ms_ = 0;
  std::int64_t output_ms_ = 0, input_ms_ = 0, novel_ms_ = 0;
  std::uint64_t input_at_ = 0;  // offset of the log's end when input was last typed
  std::uint64_t input_bytes_ = 0;
  std::uint64_t repeats_ = 0;  // repeated lines since the last line that was not seen before
  std::uint64_t sampled_version_ = 0;
  std::int64_t rate_since_ms_ = 0;
  std::size_t rate_bytes_ = 0;  // bytes since rate_since_ms_
  std::string undrawn_;         // output of a flood that is not drawn yet
  std::int64_t undrawn_since_ms_ = 0;
  std::deque<std::uint64_t> seen_order_;
  std::unordered_set<std::uint64_t> seen_;  // hashes of the newest lines, at most `kSeen`
  Screen screen_;                           // declared last: its handlers use the members above
};

/// Returns the screen after the output `bytes`, in the format of describe().
std::string replay_screen(std::string_view bytes, int rows, int cols, std::size_t history);

}  // namespace moonlet
