#include "host/process/wire/protocol.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace moonlet {

namespace {

template <typename T>
void put(std::string& out, T value) {
  static_assert(std::is_integral_v<T>);
  auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(bits >> (8 * i) & 0xff);
}

void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T take() {
    std::uint64_t bits = 0;
    if (bytes_.size() < sizeof(T)) {
      fail();
      return T{};
    }
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    }
    bytes_.remove_prefix(sizeof(T));
    return static_cast<T>(bits);
  }
  std::string text() {
    auto size = take<std::uint32_t>();
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    std::string value(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return value;
  }
  bool flag() { return take<std::uint8_t>() != 0; }
  std::size_t left() const { return bytes_.size(); }
  bool good() const { return !failed_; }
  void fail() {
    failed_ = true;
    bytes_ = {};
  }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

// `Opened` writes the header of a frame. Its destructor then fills in the frame's length.
class Opened {
 public:
  Opened(std::string& out, FrameType type) : out_(out), at_(out.size()) {
    out_.append(4, '\0');
    out_ += static_cast<char>(type);
  }
  ~Opened() {
    auto size = static_cast<std::uint32_t>(out_.size() - at_ - 4);
    for (std::size_t i = 0; i < 4; ++i) out_[at_ + i] = static_cast<char>(size >> (8 * i) & 0xff);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

 private:
  std::string& out_;
  std::size_t at_;
};

void put(std::string& out, const OutputSpec& spec) {
  put(out, static_cast<std::uint8_t>(spec.target));
  put(out, std::string_view(spec.path));
  put(out, spec.cap);
}

void take(Fields& in, OutputSpec& spec) {
  auto target = in.take<std::uint8_t>();
  if (target > static_cast<std::uint8_t>(OutputSpec::Target::kNull)) in.fail();
  spec.target = static_cast<OutputSpec::Target>(target);
  spec.path = in.text();
  spec.cap = in.take<std::uint64_t>();
}

void put(std::string& out, const Captured& captured) {
  put(out, std::string_view(captured.text));
  put(out, captured.total);
  put(out, captured.kept);
  put(out, static_cast<std::uint8_t>(captured.cut));
  put(out, static_cast<std::int32_t>(captured.write_errno));
}

void take(Fields& in, Captured& captured) {
  captured.text = in.text();
  captured.total = in.take<std::uint64_t>();
  captured.kept = in.take<std::uint64_t>();
  captured.cut = in.flag();
  captured.write_errno = in.take<std::int32_t>();
}

void put(std::string& out, const Error& error) {
  put(out, static_cast<std::uint8_t>(error.kind));
  put(out, std::string_view(error.message));
  put(out, std::string_view(error.hint));
  put(out, std::string_view(error.at));
}

void take(Fields& in, Error& error) {
  auto kind = in.take<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(ErrorKind::kFailed)) in.fail();
  error.kind = static_cast<ErrorKind>(kind);
  error.message = in.text();
  error.hint = in.text();
  error.at = in.text();
}

void put(std::string& out, const std::vector<ChildRecord>& live) {
  put(out, static_cast<std::uint32_t>(live.size()));
  for (const auto& child : live) {
    put(out, child.number);
    put(out, child.pid);
    put(out, std::string_view(child.step));
    put(out, std::string_view(child.attempt));
    put(out, child.started_ms);
    put(out, child.deadline_ms);
  }
}

void take(Fields& in, std::vector<ChildRecord>& live) {
  for (auto count = in.take<std::uint32_t>(); count > 0 && in.good(); --count) {
    ChildRecord child;
    child.number = in.take<std::uint32_t>();
    child.pid = in.take<std::int32_t>();
    child.step = in.text();
    child.attempt = in.text();
    child.started_ms = in.take<std::int64_t>();
    child.deadline_ms = in.take<std::int64_t>();
    live.push_back(std::move(child));
  }
}

void put(std::string& out, const std::vector<std::string>& list) {
  put(out, static_cast<std::uint32_t>(list.size()));
  for (const auto& text : list) put(out, std::string_view(text));
}

void take(Fields& in, std::vector<std::string>& list) {
  for (auto count = in.take<std::uint32_t>(); count > 0 && in.good(); --count) {
    list.push_back(in.text());
  }
}

void put(std::string& out, const std::optional<Confinement>& confinement) {
  put(out, static_cast<std::uint8_t>(confinement.has_value()));
  if (!confinement) return;
  put(out, confinement->writable);
  put(out, confinement->readable);
  put(out, static_cast<std::uint8_t>(confinement->restrict_reads));
  put(out, static_cast<std::uint8_t>(confinement->no_network));
  put(out, static_cast<std::uint8_t>(confinement->terminals));
}

void take(Fields& in, std::optional<Confinement>& confinement) {
  if (!in.flag()) return;
  confinement.emplace();
  take(in, confinement->writable);
  take(in, confinement->readable);
  confinement->restrict_reads = in.flag();
  confinement->no_network = in.flag();
  confinement->terminals = in.flag();
}

std::size_t put_strings(std::string& out, const std::vector<std::string>& strings) {
  std::size_t size = 0;
  for (const auto& text : strings) size += text.size() + 1;
  put(out, static_cast<std::uint32_t>(strings.size()));
  put(out, static_cast<std::uint32_t>(size));
  for (const auto& text : strings) {
    out += text;
    out += '\0';
  }
  return size;
}

std::string take_strings(Fields& in, std::uint32_t& count) {
  count = in.take<std::uint32_t>();
  std::string text = in.text();
  if (static_cast<std::size_t>(std::count(text.begin(), text.end(), '\0')) != count ||
      (!text.empty() && text.back() != '\0')) {
    in.fail();
  }
  return text;
}

template <typename T>
std::optional<T> whole(const Fields& in, T value) {
  return in.good() && in.left() == 0 ? std::optional<T>(std::move(value)) : std::nullopt;
}

Error unfit(std::string message, std::string hint) {
  return Error{ErrorKind::kInvalid, std::move(message), std::move(hint), {}};
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
    Error error =
        unfit("arguments and environment of '" + spec.argv[0].substr(0, 200) + "' are too long",
              "pass long text by a file or on stdin");
    return error;
  }
  return {};
}

}  // namespace

void encode(std::string& out, const HelloFrame& hello) {
  Opened frame(out, FrameType::kHello);
  put(out, hello.protocol);
  put(out, std::string_view(hello.version));
  put(out, std::string_view(hello.token));
  put(out, hello.guard_pid);
  put(out, hello.worker_pid);
}

Result<void> encode_start(std::string& out, std::uint32_t number, const ChildSpec& spec) {
  if (auto fits = check_spec(spec); !fits) return fits;
  Opened frame(out, FrameType::kStart);
  put(out, number);
  put(out, static_cast<std::uint8_t>(spec.stdin_fd >= 0));
  put_strings(out, spec.argv);
  put_strings(out, spec.redacted_argv);
  put_strings(out, spec.env);
  put(out, std::string_view(spec.step));
  put(out, std::string_view(spec.attempt));
  put(out, std::string_view(spec.cwd));
  put(out, spec.out);
  put(out, spec.err);
  put(out, spec.wall_ms);
  put(out, spec.idle_ms);
  put(out, spec.grace_ms);
  put(out, spec.drain_ms);
  put(out, static_cast<std::uint8_t>(spec.durable));
  put(out, static_cast<std::uint8_t>(spec.outlives_host));
  put(out, static_cast<std::uint8_t>(spec.own_cgroup));
  put(out, spec.terminal_rows);
  put(out, spec.terminal_cols);
  put(out, spec.confinement);
  put(out, static_cast<std::uint32_t>(spec.secrets.size()));
  for (const auto& secret : spec.secrets) {
    put(out, std::string_view(secret.name));
    put(out, std::string_view(secret.value));
  }
  return {};
}

void encode_number(std::string& out, FrameType type, std::uint32_t number, std::int64_t value) {
  Opened frame(out, type);
  put(out, number);
  put(out, value);
}

void encode(std::string& out, const TypeFrame& typed) {
  Opened frame(out, FrameType::kType);
  put(out, typed.number);
  put(out, std::string_view(typed.tag));
  put(out, static_cast<std::uint32_t>(typed.parts.size()));
  for (const auto& [kind, text] : typed.parts) {
    put(out, kind);
    put(out, std::string_view(text));
  }
}

void encode_text(std::string& out, std::string_view text) {
  Opened frame(out, FrameType::kText);
  put(out, text);
}

void encode_exit(std::string& out, std::uint32_t number, const ChildExit& exit) {
  Opened frame(out, FrameType::kExit);
  put(out, number);
  put(out, static_cast<std::uint8_t>(exit.why));
  put(out, static_cast<std::int32_t>(exit.code));
  put(out, static_cast<std::int32_t>(exit.signal));
  put(out, exit.error);
  put(out, exit.out);
  put(out, exit.err);
  put(out, static_cast<std::uint8_t>(exit.drained));
  put(out, static_cast<std::int32_t>(exit.stragglers));
  put(out, exit.out_in_time);
  put(out, exit.duration_ms);
  put(out, exit.cpu_ms);
  put(out, exit.max_rss_kb);
  put(out, static_cast<std::int32_t>(exit.pid));
}

void encode(std::string& out, const std::vector<ChildRecord>& live) {
  Opened frame(out, FrameType::kLive);
  put(out, live);
}

void encode(std::string& out, const AdoptedFrame& adopted) {
  Opened frame(out, FrameType::kAdopted);
  put(out, adopted.highest);
  put(out, adopted.children);
}

void encode_refused(std::string& out, const Error& error, FrameType type) {
  Opened frame(out, type);
  put(out, error);
}

Result<std::optional<Frame>> next_frame(std::string_view& bytes, std::size_t limit) {
  if (bytes.size() < 4) return std::optional<Frame>();
  Fields header(bytes);
  std::size_t size = header.take<std::uint32_t>();
  if (size == 0 || size > limit) {
    return Error{ErrorKind::kInvalid,
                 "a frame of " + std::to_string(size) + " bytes came where " +
                     std::to_string(limit) + " is the most",
                 "the other end is not a moonlet of this version",
                 {}};
  }
  if (bytes.size() < 4 + size) return std::optional<Frame>();
  Frame frame{static_cast<FrameType>(bytes[4]), bytes.substr(5, size - 1)};
  bytes.remove_prefix(4 + size);
  return std::optional<Frame>(frame);
}

std::optional<HelloFrame> decode_hello(std::string_view body) {
  Fields in(body);
  HelloFrame hello;
  hello.protocol = in.take<std::uint32_t>();
  // Only the version field has the same meaning in all versions.
  if (in.good() && hello.protocol != kKeeperProtocol) return hello;
  hello.version = in.text();
  hello.token = in.text();
  hello.guard_pid = in.take<std::int32_t>();
  hello.worker_pid = in.take<std::int32_t>();
  return whole(in, std::move(hello));
}

std::optional<StartFrame> decode_start(std::string_view body) {
  Fields in(body);
  StartFrame start;
  ChildSpec& spec = start.spec;
  start.number = in.take<std::uint32_t>();
  start.has_stdin = in.flag();
  start.argv = take_strings(in, start.argc);
  std::uint32_t redacted = 0;
  start.logged_argv = take_strings(in, redacted);
  start.redacted = redacted != 0;
  if (!start.redacted) start.logged_argv = start.argv;
  start.env = take_strings(in, start.envc);
  spec.step = in.text();
  spec.attempt = in.text();
  if (spec.attempt.size() > ChildSpec::kAttemptLimit) in.fail();
  spec.cwd = in.text();
  take(in, spec.out);
  take(in, spec.err);
  spec.wall_ms = in.take<std::int64_t>();
  spec.idle_ms = in.take<std::int64_t>();
  spec.grace_ms = in.take<std::int64_t>();
  spec.drain_ms = in.take<std::int64_t>();
  spec.durable = in.flag();
  spec.outlives_host = in.flag();
  spec.own_cgroup = in.flag();
  spec.terminal_rows = in.take<std::uint16_t>();
  spec.terminal_cols = in.take<std::uint16_t>();
  take(in, spec.confinement);
  for (auto count = in.take<std::uint32_t>(); count > 0 && in.good(); --count) {
    std::string name = in.text();
    spec.secrets.push_back({std::move(name), in.text()});
  }
  if (start.argc == 0) in.fail();
  return whole(in, std::move(start));
}

std::optional<NumberFrame> decode_number(std::string_view body) {
  Fields in(body);
  NumberFrame frame;
  frame.number = in.take<std::uint32_t>();
  frame.value = in.take<std::int64_t>();
  return whole(in, frame);
}

std::optional<TypeFrame> decode_type(std::string_view body) {
  Fields in(body);
  TypeFrame typed;
  typed.number = in.take<std::uint32_t>();
  typed.tag = in.text();
  for (auto count = in.take<std::uint32_t>(); count > 0 && in.good(); --count) {
    const auto kind = in.take<std::uint8_t>();
    typed.parts.emplace_back(kind, in.text());
  }
  return whole(in, std::move(typed));
}

std::optional<std::string> decode_text(std::string_view body) {
  Fields in(body);
  std::string text = in.text();
  return whole(in, std::move(text));
}

std::optional<ExitFrame> decode_exit(std::string_view body) {
  Fields in(body);
  ExitFrame frame;
  ChildExit& exit = frame.exit;
  frame.number = in.take<std::uint32_t>();
  auto why = in.take<std::uint8_t>();
  if (why > static_cast<std::uint8_t>(ChildExit::Why::kNotStarted)) in.fail();
  exit.why = static_cast<ChildExit::Why>(why);
  exit.code = in.take<std::int32_t>();
  exit.signal = in.take<std::int32_t>();
  take(in, exit.error);
  take(in, exit.out);
  take(in, exit.err);
  exit.drained = in.flag();
  exit.stragglers = in.take<std::int32_t>();
  exit.out_in_time = in.take<std::uint64_t>();
  exit.duration_ms = in.take<std::int64_t>();
  exit.cpu_ms = in.take<std::int64_t>();
  exit.max_rss_kb = in.take<std::int64_t>();
  exit.pid = in.take<std::int32_t>();
  return whole(in, std::move(frame));
}

std::optional<std::vector<ChildRecord>> decode_live(std::string_view body) {
  Fields in(body);
  std::vector<ChildRecord> live;
  take(in, live);
  return whole(in, std::move(live));
}

std::optional<AdoptedFrame> decode_adopted(std::string_view body) {
  Fields in(body);
  AdoptedFrame adopted;
  adopted.highest = in.take<std::uint32_t>();
  take(in, adopted.children);
  return whole(in, std::move(adopted));
}

std::optional<Error> decode_refused(std::string_view body) {
  Fields in(body);
  Error error;
  take(in, error);
  return whole(in, std::move(error));
}

std::optional<Error> check_protocol(const HelloFrame& hello) {
  if (hello.protocol == kKeeperProtocol) return std::nullopt;
  return Error{ErrorKind::kInvalid,
               "the keeper and this moonlet speak different protocols (" +
                   std::to_string(hello.protocol) + " and " + std::to_string(kKeeperProtocol) + ")",
               "use the version of moonlet that started the run, or wait until it has ended",
               {}};
}

}  // namespace moonlet
