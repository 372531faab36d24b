// LineEditor reads lines of a user: with libedit on a terminal, without from a pipe.
// A separate thread reads, so that the event loop continues while the user types.
// Prints other output above the line. Single-threaded; `on_event` runs on the editor's thread.
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
    kLine,       ///< `text` is a whole line, without its line end
    kEnd,        ///< the input has ended
    kCancelled,  ///< cancel() was called; `text` is what had been typed
    kComplete,   ///< a completion is wanted at byte `cursor` of `text`; answer with complete()
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
    bool edits = false;              ///< libedit is used: `in` and `out` are a capable terminal
    bool prompts = false;            ///< the prompt is printed: `in` is a terminal
    std::string terminal;            ///< TERM
    std::string history;             ///< a file of lines in JSON; empty keeps none
    std::function<void()> on_event;  ///< called on the editor's thread if take() has an event
  };

  explicit LineEditor(Options options);
  /// The destructor stops reading and restores the terminal.
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// Begins to read a line. `initial` is pre-typed. Only one line at a time.
  void read(std::string prompt, std::string initial);
  /// Returns the next event, if any. No line is being read after kLine, kEnd and kCancelled.
  std::optional<LineEvent> take();
  /// Answers kComplete: the word from byte `from` may become any of `words`.
  void complete(std::size_t from, std::vector<std::string> words);
  /// Prints text above the current line. Returns false and prints nothing without a line.
  bool print(std::string_view text);
  /// Ends the current line with kCancelled and prints `mark` behind the typed text.
  void cancel(std::string_view mark = {});
  /// Adapts to a new size of the terminal.
  void resize();
  /// Adds a line to the history, in memory and in the file.
  void remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moonlet
