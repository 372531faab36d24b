// LineEditor reads lines from a user: with libedit on a terminal, and plainly from a pipe.
// It reads on a thread of its own, so that the event loop continues while the user types. It prints
// other output above the line. Only one thread may use it; `on_event` is called on the editor's
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonlet {

struct LineEvent {
  enum class Kind {
    kLine,       ///< `text` is a whole line, without its newline
    kEnd,        ///< the input has ended
    kCancelled,  ///< cancel() was called; `text` is what the user had typed
    kComplete,   ///< the user asks to complete `text` at byte `cursor`; answer with complete()
  };
  Kind kind = Kind::kEnd;
  std::string text;
  std::size_t cursor = 0;
};

class LineEditor {
 public:
  struct Options {
    int in = 0;
    int out = 1;
    bool edits = false;              ///< use libedit: `in` and `out` are a capable terminal
    bool prompts = false;            ///< print the prompt: `in` is a terminal
    std::string history;             ///< file with one JSON string per line; empty: no history
    std::function<void()> on_event;  ///< called on the editor's thread if take() has an event
  };

  explicit LineEditor(Options options);
  /// Stops reading and restores the terminal.
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// Starts to read a line. The line begins with `initial`, which the user may edit. Call it only
  /// when no line is being read.
  void read(std::string prompt, std::string initial);
  /// Returns the next event, or no value. After kLine, kEnd and kCancelled, no line is being read.
  std::optional<LineEvent> take();
  /// Answers kComplete: `words` are the possible completions of the word that starts at byte
  /// `from`.
  void complete(std::size_t from, std::vector<std::string> words);
  /// Prints text above the line that is being read. If there is none, returns false and prints
  /// nothing.
  bool print(std::string_view text);
  /// Cancels the line that is being read. take() then returns a kCancelled event. Prints `mark`
  /// after the typed text.
  void cancel(std::string_view mark = {});
  /// Tells the editor that the terminal's size has changed.
  void resize();
  /// Adds a line to the history in memory and in the history file.
  void remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moonlet
