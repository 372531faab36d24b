// LineEditor reads what a person types, line by line: with libedit on a terminal, plainly from a
// pipe or a dumb terminal. It works on a thread of its own, so that the event loop continues while
// the user types, and prints other output above the line. One thread uses it; `on_event` runs on
// its own.
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
    kLine,       ///< `text` is a whole line, without its end
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
    std::function<void()> on_event;  ///< take() has something; called on the editor's thread
  };

  explicit LineEditor(Options options);
  /// Stops reading and restores the terminal.
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  /// Begins to read a line, with `initial` as if it had been typed. One at a time.
  void read(std::string prompt, std::string initial);
  /// Returns the next event, if any. After kLine, kEnd or kCancelled no line is being read.
  std::optional<LineEvent> take();
  /// Answers kComplete: the word that begins at byte `from` may become one of `words`.
  void complete(std::size_t from, std::vector<std::string> words);
  /// Prints text above the line that is being typed. Returns false and prints nothing if no line is
  /// being read.
  bool print(std::string_view text);
  /// Ends the reading of the current line with kCancelled; `mark` is printed behind what is typed.
  void cancel(std::string_view mark = {});
  /// Call it when the size of the terminal has changed.
  void resize();
  /// Adds a line to the history, in memory and in the file.
  void remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moonlet
