#include "host/process/wire/protocol.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace moonlet {

namespace {

// Writer appends a frame to `out`. Its destructor fills in the frame's length.
// Writer and Reader have the same functions, so fields() names the fields of a value once for both.
class Writer {
 public:
  Writer(std::string& out, FrameType type) : out_(out), at_(out.size()) {
    out_.append(4, '\0');
    out_ += static_cast<char>(type);
  }
  ~Writer() {
    auto size = static_cast<std::uint32_t>(out_.size() - at_ - 4);
    for (std::size_t i = 0; i < 4; ++i) out_[at_ + i] = static_cast<char>(size >> (8 * i) & 0xff);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <typename... Ts>
  void operator()(const Ts&... values) {
    (put(values), ...);
  }
  template <typename Enum>
  void choice(Enum value, Enum) {
    put(static_cast<std::uint8_t>(value));
  }
  // Puts the texts as NUL-terminated strings.
  void strings(const std::vector<std::string>& texts) {
    std::string joined;
    for (const auto& text : texts) joined.append(text).push_back('\0');
    (*this)(static_cast<std::uint32_t>(texts.size()), joined);
  }

 private:
  template <typename T>
  void put(const T& value) {
    if constexpr (std::is_integral_v<T>) {
      const auto bits = static_cast<std::uint64_t>(value);
      for (std::size_t i = 0; i < sizeof(T); ++i) out_ += static_cast<char>(bits >> (8 * i) & 0xff);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      put(static_cast<std::uint32_t>(value.size()));
      out_ += value;
    } else {
      fields(*this, value);
    }
  }
  template <typename T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const T& value : list) put(value);
  }
  template <typename T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }

  std::string& out_;
  std::size_t at_;
};

// Reader takes values from the body of a frame. After malformed bytes, all values are empty.
class Reader {
 public:
  explicit Reader(std::string_view body) : bytes_(body) {}

  template <typename... Ts>
  void operator()(Ts&... values) {
    (take(values), ...);
  }
  template <typename Enum>
  void choice(Enum& value, Enum last) {
    std::uint8_t number = 0;
    take(number);
    if (number > static_cast<std::uint8_t>(last)) fail();
    value = static_cast<Enum>(number);
  }
  std::string strings(std::uint32_t& count) {
    std::string joined;
    (*this)(count, joined);
    const bool ends = joined.empty() || joined.back() == '\0';
    if (!ends || std::count(joined.begin(), joined.end(), '\0') != count) fail();
    return joined;
  }
  void fail() {
    failed_ = true;
    bytes_ = {};
  }
  bool failed() const { return failed_; }
  // Returns `value` unless the body was malformed or has further bytes.
  template <typename T>
  std::optional<T> whole(T value) const {
    return !failed_ && bytes_.empty() ? std::optional<T>(std::move(value)) : std::nullopt;
  }

 private:
  template <typename T>
  void take(T& value) {
    if constexpr (std::is_integral_v<T>) {
      std::uint64_t bits = 0;
      const std::string_view part = cut(sizeof(T));
      for (std::size_t i = 0; i < part.size(); ++i) {
        bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(part[i])) << (8 * i);
      }
      value = static_cast<T>(bits);
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::uint32_t size = 0;
      take(size);
      value = cut(size);
    } else {
      fields(*this, value);
    }
  }
  template <typename T>
  void take(std::vector<T>& list) {
    std::uint32_t count = 0;
    for (take(count); count > 0 && !failed_; --count) take(list.emplace_back());
  }
  template <typename T>
  void take(std::optional<T>& value) {
    bool present = false;
    take(present);
    if (present) take(value.emplace());
  }
  std::string_view cut(std::size_t size) {
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
  bool failed_ = false;
};

template <typename T, typename U>
concept Is = std::is_same_v<std::remove_const_t<T>, U>;

void fields(auto& io, Is<OutputSpec> auto& spec) {
  io.choice(spec.target, OutputSpec::Target::kFile);
  io(spec.path, spec.cap);
}

void fields(auto& io, Is<Confinement> auto& confinement) {
  io(confinement.writable, confinement.readable, confinement.restrict_reads, confinement.no_network,
     confinement.terminals);
}

void fields(auto& io, Is<Secret> auto& secret) { io(secret.name, secret.value); }

// Omits argv, redacted_argv, env and stdin_fd, see StartFrame.
void fields(auto& io, Is<ChildSpec> auto& spec) {
  io(spec.step, spec.attempt, spec.cwd, spec.out, spec.err);
  io(spec.wall_ms, spec.idle_ms, spec.grace_ms, spec.drain_ms);
  io(spec.durable, spec.outlives_host, spec.own_cgroup, spec.terminal_rows, spec.terminal_cols);
  io(spec.confinement, spec.secrets);
}

void fields(auto& io, Is<Error> auto& error) {
  io.choice(error.kind, ErrorKind::kFailed);
  io(error.message, error.hint, error.at);
}

void fields(auto& io, Is<Captured> auto& captured) {
  io(captured.text, captured.total, captured.kept, captured.cut, captured.write_errno);
}

void fields(auto& io, Is<ChildExit> auto& exit) {
  io.choice(exit.why, ChildExit::Why::kNotStarted);
  io(exit.code, exit.signal, exit.error, exit.out, exit.err, exit.drained, exit.stragglers);
  io(exit.out_in_time, exit.duration_ms, exit.cpu_ms, exit.max_rss_kb, exit.pid);
}

void fields(auto& io, Is<ExitFrame> auto& frame) { io(frame.number, frame.exit); }

void fields(auto& io, Is<ChildRecord> auto& child) {
  io(child.number, child.pid, child.step, child.attempt, child.started_ms, child.deadline_ms);
}

void fields(auto& io, Is<AdoptedFrame> auto& adopted) { io(adopted.highest, adopted.children); }

void fields(auto& io, Is<NumberFrame> auto& frame) { io(frame.number, frame.value); }

void fields(auto& io, Is<std::pair<std::uint8_t, std::string>> auto& part) {
  io(part.first, part.second);
}

void fields(auto& io, Is<TypeFrame> auto& typed) { io(typed.number, typed.tag, typed.parts); }

template <typename T>
std::optional<T> decode(std::string_view body) {
  Reader in(body);
  T value;
  in(value);
  return in.whole(std::move(value));
}

Error unfit(std::string message, std::string hint) {
  return Error{ErrorKind::kInvalid, std::move(message), std::move(hint)};
}

Result<void> check_spec(const ChildSpec& spec) {
  if (spec.argv.empty()) return unfit("the command is empty", "name a program to run");
  std::size_t size = 0;
  for (const auto& secret : spec.secrets) size += secret.name.size() + secret.value.size() + 8;
  for (const auto* list : {&spec.argv, &spec.redacted_argv, &spec.env}) {
    for (const auto& text : *list) {
      size += text.size() + 1;
      if (text.find('\0') == std::string::npos) continue;
      return unfit("an argument or environment value of '" + spec.argv[0] + "' contains a NUL byte",
                   "no program can be given one; pass it by a file or on stdin");
    }
  }
  if (spec.confinement) {
    for (const auto* list : {&spec.confinement->writable, &spec.confinement->readable}) {
      for (const auto& path : *list) {
        size += path.size() + 4;
        if (path.find('\0') == std::string::npos) continue;
        return unfit("a path that '" + spec.argv[0] + "' is confined to contains a NUL byte", "");
      }
    }
  }
  if (spec.cwd.find('\0') != std::string::npos) {
    return unfit("the working directory's name contains a NUL byte", "");
  }
  if (spec.attempt.size() > ChildSpec::kAttemptLimit) {
    return unfit(
        "the attempt's name has more than " + std::to_string(ChildSpec::kAttemptLimit) + " bytes",
        "name it shorter");
  }
  if (size + spec.step.size() + spec.cwd.size() + 65536 > kHostFrameLimit) {
    return unfit("arguments and environment of '" + spec.argv[0].substr(0, 200) + "' are too long",
                 "pass long text by a file or on stdin");
  }
  return {};
}

}  // namespace

void encode(std::string& out, const HelloFrame& hello) {
  Writer frame(out, FrameType::kHello);
  frame(hello.protocol, hello.version, hello.token, hello.guard_pid, hello.worker_pid);
}

Result<void> encode_start(std::string& out, std::uint32_t number, const ChildSpec& spec) {
  if (auto fits = check_spec(spec); !fits) return fits;
  Writer frame(out, FrameType::kStart);
  frame(number, spec.stdin_fd >= 0);
  for (const auto* list : {&spec.argv, &spec.redacted_argv, &spec.env}) frame.strings(*list);
  frame(spec);
  return {};
}

void encode_number(std::string& out, FrameType type, std::uint32_t number, std::int64_t value) {
  Writer(out, type)(number, value);
}

void encode(std::string& out, const TypeFrame& typed) { Writer(out, FrameType::kType)(typed); }

void encode_text(std::string& out, std::string_view text) { Writer(out, FrameType::kText)(text); }

void encode_exit(std::string& out, std::uint32_t number, const ChildExit& exit) {
  Writer(out, FrameType::kExit)(number, exit);
}

void encode(std::string& out, const std::vector<ChildRecord>& live) {
  Writer(out, FrameType::kLive)(live);
}

void encode(std::string& out, const AdoptedFrame& adopted) {
  Writer(out, FrameType::kAdopted)(adopted);
}

void encode_refused(std::string& out, const Error& error, FrameType type) {
  Writer(out, type)(error);
}

Result<std::optional<Frame>> next_frame(std::string_view& bytes, std::size_t limit) {
  if (bytes.size() < 4) return std::optional<Frame>();
  std::uint32_t size = 0;
  Reader header(bytes);
  header(size);
  if (size == 0 || size > limit) {
    return Error{ErrorKind::kInvalid,
                 "a frame of " + std::to_string(size) + " bytes came where " +
                     std::to_string(limit) + " is the most",
                 "the other end is not a moonlet of this version"};
  }
  if (bytes.size() - 4 < size) return std::optional<Frame>();
  Frame frame{static_cast<FrameType>(bytes[4]), bytes.substr(5, size - 1)};
  bytes.remove_prefix(std::size_t{4} + size);
  return std::optional<Frame>(frame);
}

std::optional<HelloFrame> decode_hello(std::string_view body) {
  Reader in(body);
  HelloFrame hello;
  in(hello.protocol);
  // Only the version field has the same meaning in all versions.
  if (!in.failed() && hello.protocol != kKeeperProtocol) return hello;
  in(hello.version, hello.token, hello.guard_pid, hello.worker_pid);
  return in.whole(std::move(hello));
}

std::optional<StartFrame> decode_start(std::string_view body) {
  Reader in(body);
  StartFrame start;
  std::uint32_t redacted = 0;
  in(start.number, start.has_stdin);
  start.argv = in.strings(start.argc);
  start.logged_argv = in.strings(redacted);
  start.env = in.strings(start.envc);
  in(start.spec);
  start.redacted = redacted != 0;
  if (!start.redacted) start.logged_argv = start.argv;
  if (start.argc == 0 || start.spec.attempt.size() > ChildSpec::kAttemptLimit) in.fail();
  return in.whole(std::move(start));
}

std::optional<NumberFrame> decode_number(std::string_view body) {
  return decode<NumberFrame>(body);
}

std::optional<TypeFrame> decode_type(std::string_view body) { return decode<TypeFrame>(body); }

std::optional<std::string> decode_text(std::string_view body) { return decode<std::string>(body); }

std::optional<ExitFrame> decode_exit(std::string_view body) { return decode<ExitFrame>(body); }

std::optional<std::vector<ChildRecord>> decode_live(std::string_view body) {
  return decode<std::vector<ChildRecord>>(body);
}

std::optional<AdoptedFrame> decode_adopted(std::string_view body) {
  return decode<AdoptedFrame>(body);
}

std::optional<Error> decode_refused(std::string_view body) { return decode<Error>(body); }

std::optional<Error> check_protocol(const HelloFrame& hello) {
  if (hello.protocol == kKeeperProtocol) return std::nullopt;
  return Error{ErrorKind::kInvalid,
               "the keeper and this moonlet speak different protocols (" +
                   std::to_string(hello.protocol) + " and " + std::to_string(kKeeperProtocol) + ")",
               "use the version of moonlet that started the run, or wait until it has ended"};
}

}  // namespace moonlet
