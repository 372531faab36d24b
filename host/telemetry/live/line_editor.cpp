#include "host/telemetry/live/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "host/base/fd.h"
#include "host/base/json.h"
#include "host/telemetry/live/width.h"

namespace moonlet {

namespace {

constexpr int kMostHistory = 1000;
constexpr int kCompletionMs = 2000;  // wait at most this long for an answer to kComplete
constexpr std::size_t kLongestLine = 1 << 20;

int columns_of(int fd) {
  winsize size{};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string common_start(const std::vector<std::string>& words) {
  std::string start = words.front();
  for (const std::string& word : words) {
    std::size_t same = 0;
    while (same < start.size() && same < word.size() && start[same] == word[same]) ++same;
    start.resize(same);
  }
  return start;
}

/// Formats possible completions in columns, as a shell does.
std::string listed(std::vector<std::string> words, int columns) {
  std::sort(words.begin(), words.end());
  constexpr std::size_t kMost = 200;
  const std::size_t left_out = words.size() > kMost ? words.size() - kMost : 0;
  words.resize(words.size() - left_out);
  int widest = 1;
  for (const std::string& word : words) widest = std::max(widest, display_width(word));
  const int across = std::max(1, columns / (widest + 2));
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += words[i];
    const bool is_last = (i + 1) % static_cast<std::size_t>(across) == 0 || i + 1 == words.size();
    text += is_last
                ? "\n"
                : std::string(static_cast<std::size_t>(widest + 2 - display_width(words[i])), ' ');
  }
  if (left_out > 0) text += "and " + std::to_string(left_out) + " more\n";
  return text;
}

}  // namespace

class LineEditor::Impl {
 public:
  explicit Impl(Options options) : options_(std::move(options)) {
    int ends[2];
    if (pipe(ends) == 0) {
      for (int end : ends) {
        fcntl(end, F_SETFD, FD_CLOEXEC);
        fcntl(end, F_SETFL, O_NONBLOCK);
      }
      wake_read_ = Fd(ends[0]);
      wake_write_ = Fd(ends[1]);
    }
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
      cancel_ = true;
    }
    wake();
    thread_.join();
  }

  void read(std::string prompt, std::string initial) {
    {
      const std::lock_guard lock(mutex_);
      prompt_ = std::move(prompt);
      initial_ = std::move(initial);
      reading_ = true;
      cancel_ = false;
    }
    wake();
  }

  std::optional<LineEvent> take() {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return std::nullopt;
    LineEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  void complete(std::size_t from, std::vector<std::string> words) {
    const std::lock_guard lock(mutex_);
    answer_ = {from, std::move(words)};
    answered_.notify_all();
  }

  bool print(std::string_view text) {
    {
      const std::lock_guard lock(mutex_);
      if (!reading_ || !options_.prompts) return false;
      above_ += text;
    }
    wake();
    return true;
  }

  void cancel(std::string_view mark) {
    {
      const std::lock_guard lock(mutex_);
      if (!reading_) return;
      mark_ = mark;
      cancel_ = true;
    }
    wake();
  }

  void resize() {
    resized_ = true;
    wake();
  }

  void remember(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (!options_.edits || line.empty()) return;
    new_history_.push_back(line);
    if (options_.history.empty()) return;
    const Fd file(open(options_.history.c_str(),
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file) (void)write_all(file.get(), json_text(nlohmann::json(line)) + "\n");
  }

 private:
  void wake() { (void)!write(wake_write_.get(), "", 1); }

  void drain_wake() {
    char bytes[64];
    while (::read(wake_read_.get(), bytes, sizeof bytes) > 0) {
    }
  }

  void post(LineEvent event) {
    {
      const std::lock_guard lock(mutex_);
      if (event.kind != LineEvent::Kind::kComplete) {
        reading_ = false;
        // The line has ended, so print the waiting text below it.
        (void)write_all(options_.out, above_);
        above_.clear();
      }
      events_.push_back(std::move(event));
    }
    options_.on_event();
  }

  /// Waits until read() asks for a line. Returns false if the editor is being destroyed.
  bool wanted() {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (quit_) return false;
        if (reading_) return true;
      }
      pollfd waits{wake_read_.get(), POLLIN, 0};
      if (::poll(&waits, 1, -1) > 0) drain_wake();
    }
  }

  /// Waits for input. Returns 1 if a byte is ready, and 0 if the line was cancelled.
  int wait_for_input() {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (cancel_) return 0;
      }
      serve();
      pollfd waits[2] = {{options_.in, POLLIN, 0}, {wake_read_.get(), POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0) continue;
      if (waits[1].revents != 0) drain_wake();
      if (waits[1].revents == 0 && waits[0].revents != 0) return 1;
    }
  }

  /// Prints waiting text above the line, and adapts to a new size of the terminal.
  void serve() {
    std::string text;
    {
      const std::lock_guard lock(mutex_);
      text = std::exchange(above_, {});
    }
    if (resized_.exchange(false) && editor_ != nullptr) el_resize(editor_);
    if (text.empty()) return;
    if (text.back() != '\n') text += '\n';
    if (editor_ == nullptr) {
      (void)write_all(options_.out, "\n" + text + shown_prompt_);
      return;
    }
    const LineInfo* line = el_line(editor_);
    const std::string before(line->buffer, line->cursor);
    const int rows =
        (display_width(shown_prompt_) + display_width(before)) / columns_of(options_.out);
    const std::string up = rows > 0 ? "\x1b[" + std::to_string(rows) + "A" : "";
    (void)write_all(options_.out, "\r" + up + "\x1b[J" + text);
    el_set(editor_, EL_REFRESH);
  }

  void read_plain() {
    if (options_.prompts) (void)write_all(options_.out, shown_prompt_);
    for (;;) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        LineEvent event{LineEvent::Kind::kLine, buffer_.substr(0, end), 0};
        buffer_.erase(0, end + 1);
        return post(std::move(event));
      }
      if (wait_for_input() == 0)
        return post({LineEvent::Kind::kCancelled, std::exchange(buffer_, {}), 0});
      char bytes[4096];
      const long got = read_some(options_.in, bytes, sizeof bytes);
      if (got > 0 && buffer_.size() < kLongestLine) {
        buffer_.append(bytes, static_cast<std::size_t>(got));
      } else if (!buffer_.empty()) {
        return post({LineEvent::Kind::kLine, std::exchange(buffer_, {}), 0});
      } else {
        return post({LineEvent::Kind::kEnd, {}, 0});
      }
    }
  }

  static Impl* of(EditLine* editor) {
    Impl* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return self;
  }

  static char* prompt_of(EditLine* editor) { return of(editor)->shown_prompt_.data(); }

  static int next_character(EditLine* editor, wchar_t* into) {
    Impl* self = of(editor);
    if (self->wait_for_input() == 0) {
      const LineInfo* line = el_line(editor);
      self->typed_.assign(line->buffer, line->lastchar);
      return -1;
    }
    unsigned char byte = 0;
    if (read_some(self->options_.in, &byte, 1) != 1) return 0;
    const int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
    *into = more == 0 ? byte : byte & (0x3f >> more);
    for (int i = 0; i < more; ++i) {
      if (read_some(self->options_.in, &byte, 1) != 1) return 0;
      *into = (*into << 6) | (byte & 0x3f);
    }
    return 1;
  }

  static unsigned char complete_word(EditLine* editor, int) {
    Impl* self = of(editor);
    const LineInfo* line = el_line(editor);
    LineEvent event{LineEvent::Kind::kComplete, std::string(line->buffer, line->lastchar),
                    static_cast<std::size_t>(line->cursor - line->buffer)};
    const std::string before = event.text.substr(0, event.cursor);
    std::unique_lock lock(self->mutex_);
    self->answer_.reset();
    lock.unlock();
    self->post(std::move(event));
    lock.lock();
    self->answered_.wait_for(lock, std::chrono::milliseconds(kCompletionMs),
                             [self] { return self->answer_ || self->cancel_; });
    if (!self->answer_ || self->answer_->words.empty() || self->answer_->from > before.size())
      return CC_ERROR;
    const auto answer = std::move(*self->answer_);
    lock.unlock();
    const std::string word = before.substr(answer.from);
    const std::string start = common_start(answer.words);
    if (start.size() > word.size() && start.compare(0, word.size(), word) == 0) {
      el_insertstr(editor, start.substr(word.size()).c_str());
      return CC_REFRESH;
    }
    if (answer.words.size() == 1) return CC_ERROR;
    (void)write_all(self->options_.out,
                    "\n" + listed(answer.words, columns_of(self->options_.out)));
    return CC_REDISPLAY;
  }

  void open_editor() {
    in_ = fdopen(dup(options_.in), "r");
    out_ = fdopen(dup(options_.out), "w");
    if (in_ == nullptr || out_ == nullptr) return;
    setvbuf(out_, nullptr, _IOFBF, 4096);
    editor_ = el_init("moonlet", in_, out_, out_);
    if (editor_ == nullptr) return;
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &prompt_of);
    el_set(editor_, EL_GETCFN, &next_character);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    // Use el_wset(), because el_set() leaks its converted copies of the name and the help text.
    el_wset(editor_, EL_ADDFN, L"moonlet-complete", L"completes the word", &complete_word);
    el_set(editor_, EL_BIND, "^I", "moonlet-complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(editor_, EL_BIND, "^W", "ed-delete-prev-word", nullptr);
    history_ = history_init();
    HistEvent event{};
    history(history_, &event, H_SETSIZE, kMostHistory);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(editor_, EL_HIST, history, history_);
    load_history();
  }

  void load_history() {
    const Fd file(open(options_.history.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return;
    constexpr off_t kMost = 4 << 20;
    const off_t size = lseek(file.get(), 0, SEEK_END);
    lseek(file.get(), std::max<off_t>(0, size - kMost), SEEK_SET);
    std::string text;
    char bytes[8192];
    long got = 0;
    while ((got = read_some(file.get(), bytes, sizeof bytes)) > 0) {
      text.append(bytes, static_cast<std::size_t>(got));
    }
    std::size_t at = 0;
    for (std::size_t end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const auto line = parse_json(std::string_view(text).substr(at, end - at));
      if (line && line->is_string()) enter_history(line->get<std::string>());
    }
  }

  void enter_history(const std::string& line) {
    HistEvent event{};
    history(history_, &event, H_ENTER, line.c_str());
  }

  void read_edited() {
    {
      const std::lock_guard lock(mutex_);
      for (const std::string& line : new_history_) enter_history(line);
      new_history_.clear();
      if (!initial_.empty()) el_push(editor_, initial_.c_str());
    }
    int count = 0;
    // Set the terminal's mode before the prompt appears, so that the old mode handles no key.
    el_set(editor_, EL_PREP_TERM, 1);
    const char* line = el_gets(editor_, &count);
    if (line != nullptr && count > 0) {
      std::string text(line, static_cast<std::size_t>(count));
      while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
      return post({LineEvent::Kind::kLine, std::move(text), 0});
    }
    bool cancelled = false;
    std::string mark;
    {
      const std::lock_guard lock(mutex_);
      cancelled = cancel_;
      mark = std::exchange(mark_, {});
    }
    (void)write_all(options_.out, mark + "\n");
    post({cancelled ? LineEvent::Kind::kCancelled : LineEvent::Kind::kEnd,
          std::exchange(typed_, {}), 0});
  }

  void run() {
    // libedit needs a UTF-8 locale. Set it only for this thread, because the process must keep its
    // own.
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", static_cast<locale_t>(nullptr));
    if (utf8 == nullptr) utf8 = newlocale(LC_CTYPE_MASK, "UTF-8", static_cast<locale_t>(nullptr));
    if (utf8 != nullptr) uselocale(utf8);
    if (options_.edits) open_editor();
    while (wanted()) {
      {
        const std::lock_guard lock(mutex_);
        shown_prompt_ = prompt_;
      }
      if (editor_ != nullptr) {
        read_edited();
      } else {
        read_plain();
      }
    }
    if (editor_ != nullptr) el_end(editor_);
    if (history_ != nullptr) history_end(history_);
    if (in_ != nullptr) fclose(in_);
    if (out_ != nullptr) fclose(out_);
    if (utf8 != nullptr) {
      uselocale(LC_GLOBAL_LOCALE);
      freelocale(utf8);
    }
  }

  struct Answer {
    std::size_t from = 0;
    std::vector<std::string> words;
  };

  const Options options_;
  Fd wake_read_, wake_write_;
  std::mutex mutex_;  // guards the members up to new_history_
  std::condition_variable answered_;
  std::string prompt_, initial_, above_, mark_;
  bool reading_ = false, cancel_ = false, quit_ = false;
  std::deque<LineEvent> events_;
  std::optional<Answer> answer_;
  std::vector<std::string> new_history_;
  std::atomic<bool> resized_{false};
  // Only the editor's thread uses these members, up to typed_.
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  FILE* in_ = nullptr;
  FILE* out_ = nullptr;
  std::string shown_prompt_, buffer_, typed_;
  std::thread thread_;
};

LineEditor::LineEditor(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
LineEditor::~LineEditor() = default;
void LineEditor::read(std::string prompt, std::string initial) {
  impl_->read(std::move(prompt), std::move(initial));
}
std::optional<LineEvent> LineEditor::take() { return impl_->take(); }
void LineEditor::complete(std::size_t from, std::vector<std::string> words) {
  impl_->complete(from, std::move(words));
}
bool LineEditor::print(std::string_view text) { return impl_->print(text); }
void LineEditor::cancel(std::string_view mark) { impl_->cancel(mark); }
void LineEditor::resize() { impl_->resize(); }
void LineEditor::remember(const std::string& line) { impl_->remember(line); }

}  // namespace moonlet
