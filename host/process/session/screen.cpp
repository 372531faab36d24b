#include "host/process/session/screen.h"

#include <vterm.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr std::size_t kLongestTitle = 200;
constexpr std::uint32_t kFirstWide = 0x1100;
constexpr std::size_t kFeedPart = 4096;

/// An escape sequence certainly ends within this many bytes after its control character.
constexpr std::size_t kSettled = 4096;

// Returns true for a byte of printable text, a tab, a carriage return, or the line feed after one.
bool is_plain(std::string_view bytes, std::size_t at) {
  const auto byte = static_cast<unsigned char>(bytes[at]);
  // A line feed without a carriage return is not plain, because it keeps the column.
  // 0xc2 is not plain, because it begins the control characters above 0x7f.
  if (byte == '\n') return at > 0 && bytes[at - 1] == '\r';
  return byte == '\r' || byte == '\t' || (byte >= 0x20 && byte != 0x7f && byte != 0xc2);
}

// Appends a code point in UTF-8, or a blank for a control character or an invalid one.
void put_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code > 0x10ffff ||
      (code >= 0xd800 && code < 0xe000)) {
    out += ' ';
  } else if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Appends the text of a cell and returns its width in columns.
int put_cell(std::string& out, const VTermScreenCell& cell) {
  // If the first half of a wide character was overwritten, its second half remains: draw a blank.
  if (cell.chars[0] == 0 || cell.chars[0] == static_cast<std::uint32_t>(-1)) {
    out += ' ';
  } else {
    for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0; ++i) {
      put_utf8(out, cell.chars[i]);
    }
  }
  // libvterm also calls a narrow character wide if it has overwritten the first half of a wide one.
  // No character below kFirstWide is wide.
  return cell.chars[0] < kFirstWide ? 1 : std::max<int>(cell.width, 1);
}

void trim(std::string& text) {
  const auto end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
}

ScreenSize within(ScreenSize size) {
  return {std::clamp(size.rows, 1, ScreenSize::kMost), std::clamp(size.cols, 2, ScreenSize::kMost)};
}

void put_colour(std::string& out, const VTermColor& colour, bool back) {
  if (back ? VTERM_COLOR_IS_DEFAULT_BG(&colour) : VTERM_COLOR_IS_DEFAULT_FG(&colour)) return;
  out += back ? ";48" : ";38";
  if (VTERM_COLOR_IS_INDEXED(&colour)) {
    out += ";5;" + std::to_string(colour.indexed.idx);
    return;
  }
  out += ";2;" + std::to_string(colour.rgb.red) + ";" + std::to_string(colour.rgb.green) + ";" +
         std::to_string(colour.rgb.blue);
}

std::string pen_of(const VTermScreenCell& cell) {
  std::string pen = "\x1b[0";
  if (cell.attrs.bold) pen += ";1";
  if (cell.attrs.italic) pen += ";3";
  if (cell.attrs.underline) pen += ";4";
  if (cell.attrs.blink) pen += ";5";
  if (cell.attrs.reverse) pen += ";7";
  if (cell.attrs.strike) pen += ";9";
  put_colour(pen, cell.fg, false);
  put_colour(pen, cell.bg, true);
  return pen + "m";
}

struct NamedKey {
  std::string_view name;
  VTermKey key;
};
constexpr NamedKey kKeys[] = {
    {"enter", VTERM_KEY_ENTER},   {"tab", VTERM_KEY_TAB},       {"backspace", VTERM_KEY_BACKSPACE},
    {"escape", VTERM_KEY_ESCAPE}, {"esc", VTERM_KEY_ESCAPE},    {"up", VTERM_KEY_UP},
    {"down", VTERM_KEY_DOWN},     {"left", VTERM_KEY_LEFT},     {"right", VTERM_KEY_RIGHT},
    {"insert", VTERM_KEY_INS},    {"delete", VTERM_KEY_DEL},    {"home", VTERM_KEY_HOME},
    {"end", VTERM_KEY_END},       {"pageup", VTERM_KEY_PAGEUP}, {"pagedown", VTERM_KEY_PAGEDOWN},
};

}  // namespace

struct Screen::Callbacks {
  static Screen& of(void* user) { return *static_cast<Screen*>(user); }

  static void output(const char* bytes, std::size_t size, void* user) {
    if (of(user).handlers_.answer) of(user).handlers_.answer({bytes, size});
  }
  static void answer(void* user, std::string_view text) { output(text.data(), text.size(), user); }

#if VTERM_VERSION_MAJOR == 0 && VTERM_VERSION_MINOR < 2
  using Piece = char*;
  static std::string_view piece_text(char* text) { return text == nullptr ? "" : text; }
  static bool begins(char*) { return true; }
#else
  using Piece = VTermStringFragment;
  static std::string_view piece_text(const VTermStringFragment& piece) {
    return {piece.str, piece.len};
  }
  static bool begins(const VTermStringFragment& piece) { return piece.initial; }
#endif

  static int settermprop(VTermProp property, VTermValue* value, void* user) {
    Screen& screen = of(user);
    if (property == VTERM_PROP_ALTSCREEN) screen.alternate_ = value->boolean != 0;
    if (property == VTERM_PROP_MOUSE) screen.mouse_ = value->number;
    if (property == VTERM_PROP_CURSORVISIBLE) screen.cursor_visible_ = value->boolean != 0;
    if (property == VTERM_PROP_TITLE) {
      if (begins(value->string)) screen.coming_title_.clear();
      const auto piece = piece_text(value->string);
      if (screen.coming_title_.size() < 4 * kLongestTitle) screen.coming_title_ += piece;
      screen.title_ = printable(strip_controls(screen.coming_title_), kLongestTitle);
    }
    return 1;
  }

  static int pushline(int cols, const VTermScreenCell* cells, void* user) {
    std::string text;
    for (int col = 0; col < cols;) col += put_cell(text, cells[col]);
    trim(text);
    of(user).keep_line(std::move(text));
    return 1;
  }

  // A growing screen takes lines back from the history, as terminals do.
  static int popline(int cols, VTermScreenCell* cells, void* user) {
    Screen& screen = of(user);
    if (screen.history_.empty()) return 0;
    const std::string text = std::move(screen.history_.back());
    screen.history_.pop_back();
    --screen.lines_gone_;
    std::fill_n(cells, cols, VTermScreenCell{});
    for (int col = 0; col < cols; ++col) {
      cells[col].width = 1;
      cells[col].fg.type = VTERM_COLOR_DEFAULT_FG;
      cells[col].bg.type = VTERM_COLOR_DEFAULT_BG;
    }
    int col = 0;
    for (std::size_t at = 0; at < text.size() && col < cols; ++col) {
      const std::size_t size = std::max<std::size_t>(utf8_sequence(text.substr(at, 4)), 1);
      std::uint32_t code = static_cast<unsigned char>(text[at]);
      if (size > 1) code &= 0xffu >> (size + 1);
      for (std::size_t i = 1; i < size; ++i) {
        code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
      }
      cells[col].chars[0] = code;
      at += size;
    }
    return 1;
  }

  static int csi(const char* leader, const long args[], int count, const char* intermediate,
                 char command, void* user) {
    const char lead = leader == nullptr ? '\0' : leader[0];
    const long first = count > 0 ? CSI_ARG_OR(args[0], 0) : 0;
    if (intermediate != nullptr && intermediate[0] != '\0') return 0;
    if (lead == '?' && command == 'u') return answer(user, "\x1b[?0u"), 1;
    if (lead == '>' && command == 'q') {
      return answer(user, std::string("\x1bP>|moonlet ") + MOONLET_VERSION + "\x1b\\"), 1;
    }
    if (lead == '?' && command == 'n' && first == 996) return answer(user, "\x1b[?997;1n"), 1;
    if (lead == '\0' && command == 't' && first == 18) {
      const ScreenSize size = of(user).size_;
      answer(user, "\x1b[8;" + std::to_string(size.rows) + ";" + std::to_string(size.cols) + "t");
      return 1;
    }
    return 0;
  }

  static void answer_colour(std::string_view text, void* user) {
    if (text == "10;?") answer(user, "\x1b]10;rgb:ffff/ffff/ffff\x1b\\");
    if (text == "11;?") answer(user, "\x1b]11;rgb:0000/0000/0000\x1b\\");
    if (text == "12;?") answer(user, "\x1b]12;rgb:ffff/ffff/ffff\x1b\\");
  }
#if VTERM_VERSION_MAJOR == 0 && VTERM_VERSION_MINOR < 2
  static int osc(const char* text, std::size_t size, void* user) {
    answer_colour({text, size}, user);
    return 1;
  }
#else
  static int osc(int command, VTermStringFragment piece, void* user) {
    if (!piece.initial || !piece.final) return 1;
    answer_colour(std::to_string(command) + ";" + std::string(piece.str, piece.len), user);
    return 1;
  }
#endif

  static VTermScreenCallbacks screen(bool keeps_lines) {
    VTermScreenCallbacks callbacks{};
    callbacks.settermprop = settermprop;
    if (keeps_lines) callbacks.sb_pushline = pushline;
    callbacks.sb_popline = popline;
    return callbacks;
  }
};

Screen::Screen(ScreenSize size, Handlers handlers)
    : size_(within(size)),
      handlers_(std::move(handlers)),
      vterm_(vterm_new(size_.rows, size_.cols)),
      screen_(vterm_obtain_screen(vterm_)) {
#if VTERM_VERSION_MAJOR == 0 && VTERM_VERSION_MINOR < 2
  static const VTermParserCallbacks unknown = [] {
    VTermParserCallbacks functions{};
#else
  static const VTermStateFallbacks unknown = [] {
    VTermStateFallbacks functions{};
#endif
    functions.csi = Callbacks::csi;
    functions.osc = Callbacks::osc;
    return functions;
  }();
  vterm_set_utf8(vterm_, 1);
  vterm_output_set_callback(vterm_, Callbacks::output, this);
  set_flooded(false);
  vterm_screen_set_unrecognised_fallbacks(screen_, &unknown, this);
  vterm_screen_enable_altscreen(screen_, 1);
#if VTERM_VERSION_MAJOR > 0 || VTERM_VERSION_MINOR >= 3
  vterm_screen_enable_reflow(screen_, true);
#endif
  vterm_screen_reset(screen_, 1);
}

void Screen::set_flooded(bool flooded) {
  static const VTermScreenCallbacks calm = Callbacks::screen(true),
                                    flood = Callbacks::screen(false);
  if (flooded && !flooded_) {
    history_.clear();
    has_gap_ = true;
  }
  flooded_ = flooded;
  vterm_screen_set_callbacks(screen_, flooded ? &flood : &calm, this);
}

Screen::~Screen() { vterm_free(vterm_); }

void Screen::feed(std::string_view bytes) {
  bytes = input_.clean(bytes);
  if (flooded_ && !input_.has_margins() && !alternate_) {
    const auto [from, to] = superfluous(bytes);
    parse(bytes.substr(0, from));
    bytes.remove_prefix(to);
  }
  parse(bytes);
}

// Returns the range of plain lines in `bytes` that later lines push off the screen.
// libvterm need not draw them, because more than two screens of lines follow.
std::pair<std::size_t, std::size_t> Screen::superfluous(std::string_view bytes) {
  const int wanted = 2 * size_.rows + 1;
  std::size_t begin = bytes.size(), to = 0;
  int lines = 0;
  for (; begin > 0 && is_plain(bytes, begin - 1); --begin) {
    if (bytes[begin - 1] == '\n' && ++lines == wanted) to = begin;
  }
  if (begin > 0) plain_bytes_ = 0;
  const std::size_t settles = plain_bytes_ < kSettled ? kSettled - plain_bytes_ : 0;
  plain_bytes_ += bytes.size() - begin;
  const std::size_t line = bytes.find('\n', begin + settles);
  if (line == std::string_view::npos || line + 1 >= to) return {0, 0};
  return {line + 1, to};
}

void Screen::parse(std::string_view bytes) {
  ++version_;
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, kFeedPart);
    vterm_input_write(vterm_, part.data(), part.size());
    bytes.remove_prefix(part.size());
  }
}

void Screen::resize(ScreenSize size) {
  size = within(size);
  if (size == size_) return;
  // Reset margins beyond a smaller screen, because they would trap the cursor.
  if (input_.has_margins()) {
    const Cursor at = cursor();
    parse("\x1b[r\x1b[s\x1b[" + std::to_string(at.row + 1) + ";" + std::to_string(at.col + 1) +
          "H");
  }
  size_ = size;
  vterm_set_size(vterm_, size.rows, size.cols);
  parse(VtermInput::kComeInside);
}

std::string Screen::row(int index) const {
  std::string text;
  for (int col = 0; col < size_.cols;) {
    VTermScreenCell cell;
    if (!vterm_screen_get_cell(screen_, {index, col}, &cell)) break;
    col += put_cell(text, cell);
  }
  trim(text);
  return text;
}

std::vector<std::string> Screen::rows() const {
  std::vector<std::string> rows;
  for (int index = 0; index < size_.rows; ++index) rows.push_back(row(index));
  return rows;
}

void Screen::keep_line(std::string text) {
  ++lines_gone_;
  if (handlers_.line) handlers_.line(text);
  history_.push_back(std::move(text));
  if (history_.size() > kMostHistory) history_.pop_front();
}

std::vector<std::string> Screen::history(std::size_t count) const {
  count = std::min(count, history_.size());
  return {history_.end() - static_cast<std::ptrdiff_t>(count), history_.end()};
}

Screen::Cursor Screen::cursor() const {
  VTermPos at;
  vterm_state_get_cursorpos(vterm_obtain_state(vterm_), &at);
  return {at.row, at.col, cursor_visible_};
}

/// Returns the escape sequences that enable the active modes. libvterm does not report the modes,
/// but the bytes that it sends for a key, a paste and the mouse wheel depend on them.
std::string Screen::modes() {
  std::string sent, out;
  auto answer = std::exchange(handlers_.answer, [&](std::string_view bytes) { sent += bytes; });
  vterm_keyboard_key(vterm_, VTERM_KEY_UP, VTERM_MOD_NONE);
  if (sent == "\x1bOA") out += "\x1b[?1h";
  sent.clear();
  vterm_keyboard_start_paste(vterm_);
  vterm_keyboard_end_paste(vterm_);
  if (!sent.empty()) out += "\x1b[?2004h";
  if (mouse_ != VTERM_PROP_MOUSE_NONE) {
    constexpr int kWheel = 4;
    sent.clear();
    vterm_mouse_button(vterm_, kWheel, true, VTERM_MOD_NONE);
    out += mouse_ == VTERM_PROP_MOUSE_CLICK  ? "\x1b[?1000h"
           : mouse_ == VTERM_PROP_MOUSE_DRAG ? "\x1b[?1002h"
                                             : "\x1b[?1003h";
    if (sent.rfind("\x1b[<", 0) == 0) out += "\x1b[?1006h";
  }
  handlers_.answer = std::move(answer);
  return out;
}

std::string Screen::redraw() {
  std::string out = "\x1b[0m\x1b[2J";
  for (int row = 0; row < size_.rows; ++row) {
    out += "\x1b[" + std::to_string(row + 1) + ";1H";
    std::string pen, line;
    std::size_t used = 0;  // the length of `line` without trailing blanks
    for (int col = 0; col < size_.cols;) {
      VTermScreenCell cell;
      if (!vterm_screen_get_cell(screen_, {row, col}, &cell)) break;
      if (std::string wanted = pen_of(cell); wanted != pen) line += pen = std::move(wanted);
      col += put_cell(line, cell);
      if (cell.chars[0] != 0 || cell.attrs.reverse || !VTERM_COLOR_IS_DEFAULT_BG(&cell.bg)) {
        used = line.size();
      }
    }
    out.append(line, 0, used);
    out += "\x1b[0m";
  }
  const Cursor at = cursor();
  out += "\x1b[" + std::to_string(at.row + 1) + ";" + std::to_string(at.col + 1) + "H";
  return out + (at.visible ? "\x1b[?25h" : "\x1b[?25l") + modes();
}

void Screen::type(std::string_view text) {
  const bool pasted = text.find('\n') != std::string_view::npos;
  if (pasted) vterm_keyboard_start_paste(vterm_);
  std::string bytes(text);
  // Enter sends a carriage return, and so does a pasted line end.
  std::replace(bytes.begin(), bytes.end(), '\n', '\r');
  if (handlers_.answer) handlers_.answer(bytes);
  if (pasted) vterm_keyboard_end_paste(vterm_);
}

bool Screen::press(std::string_view key) {
  for (const NamedKey& named : kKeys) {
    if (named.name != key) continue;
    vterm_keyboard_key(vterm_, named.key, VTERM_MOD_NONE);
    return true;
  }
  const auto send = [this](std::string_view bytes) {
    if (handlers_.answer) handlers_.answer(bytes);
    return true;
  };
  if (key == "space") return send(" ");
  if (key == "shift-tab") return send("\x1b[Z");
  if (key.size() == 6 && key.substr(0, 5) == "ctrl-") {
    const char letter = key[5];
    if ((letter >= 'a' && letter <= 'z') || (letter >= '[' && letter <= '_')) {
      const char control = static_cast<char>(letter & 0x1f);
      return send({&control, 1});
    }
  }
  if (key == "ctrl-space") return send({"\0", 1});
  if (key.size() > 4 && key.substr(0, 4) == "alt-") {
    const auto rest = key.substr(4);
    if (rest.size() == 1 && rest[0] > 0x20 && rest[0] < 0x7f) {
      return send("\x1b" + std::string(rest));
    }
  }
  if (key.size() >= 2 && key[0] == 'f') {
    int number = 0;
    const char* const end = key.data() + key.size();
    if (std::from_chars(key.data() + 1, end, number).ptr != end) return false;
    if (number < 1 || number > 12) return false;
    vterm_keyboard_key(vterm_, static_cast<VTermKey>(VTERM_KEY_FUNCTION(number)), VTERM_MOD_NONE);
    return true;
  }
  return false;
}

}  // namespace moonlet
