#include "host/process/keeper/sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace moonlet {

namespace {

constexpr std::int64_t kSampleMs = 1000;
constexpr std::int64_t kFlushMs = 5;
constexpr std::size_t kMostHistory = 4000;
// A slow connection beyond this backlog gets the newest screen instead of all output.
constexpr std::size_t kPersonBacklog = 1u << 20;

ScreenSize size_of(std::int64_t value) {
  return {static_cast<int>(value >> 16 & 0xffff), static_cast<int>(value & 0xffff)};
}

Error no_session() {
  return Error{ErrorKind::kInvalid, "the session has ended",
               "moonlet session log shows its output"};
}

// Used as the pid of an attached process if the system does not report its real pid.
constexpr std::int32_t kUnknownProcess = -1;

std::string named(std::int32_t pid) {
  return pid > 0 ? " (process " + std::to_string(pid) + ")" : std::string();
}

Error taken_over(const Terminal& terminal) {
  return Error{ErrorKind::kDenied,
               "a person has taken the session over" + named(terminal.attached()),
               "wait until they have detached"};
}

}  // namespace

Sessions::Sessions(Loop& loop, Supervisor& supervisor) : loop_(loop), supervisor_(supervisor) {}

Sessions::~Sessions() {
  detach();
  if (is_sampling_) loop_.cancel(sampling_);
  if (is_flushing_) loop_.cancel(flushing_);
}

bool Sessions::answer(const Frame& frame, std::string& out) {
  Result<void> done;
  if (frame.type == FrameType::kType) {
    auto typed = decode_type(frame.body);
    if (!typed) return false;
    done = type(*typed, false);
  } else {
    auto wish = decode_number(frame.body);
    if (!wish) return false;
    if (frame.type == FrameType::kLook) return look(*wish, out);
    if (frame.type == FrameType::kResize) {
      done = resize(*wish, false);
    } else if (frame.type != FrameType::kEndTerminal) {
      return false;
    } else if (!supervisor_.end_on_terminal(wish->number, wish->value)) {
      done = no_session();
    }
  }
  if (done) {
    encode_number(out, FrameType::kDone, 0);
  } else {
    encode_refused(out, done.error());
  }
  return true;
}

bool Sessions::look(NumberFrame wish, std::string& out) {
  const auto found = supervisor_.on_terminal(wish.number);
  if (found.terminal == nullptr) {
    encode_refused(out, no_session());
    return true;
  }
  const auto history = static_cast<std::size_t>(std::max<std::int64_t>(wish.value, 0));
  encode_text(out, found.terminal->describe(found.pid, std::min(history, kMostHistory),
                                            loop_.clock().monotonic_ms()));
  return true;
}

Result<void> Sessions::type(const TypeFrame& typed, bool is_person) {
  const auto found = supervisor_.on_terminal(typed.number);
  if (found.terminal == nullptr) return no_session();
  if (!is_person && found.terminal->attached() != 0) return taken_over(*found.terminal);
  std::vector<TypedPart> parts;
  for (const auto& [kind, text] : typed.parts) {
    if (kind > static_cast<std::uint8_t>(TypedPart::Kind::kBytes)) {
      return Error{ErrorKind::kInvalid, "an unknown kind of input came"};
    }
    parts.push_back({static_cast<TypedPart::Kind>(kind), text});
  }
  return found.terminal->type(parts, typed.tag, loop_.clock().monotonic_ms());
}

Result<void> Sessions::resize(NumberFrame wish, bool is_person) {
  const auto found = supervisor_.on_terminal(wish.number);
  if (found.terminal == nullptr) return no_session();
  if (!is_person && found.terminal->attached() != 0) return taken_over(*found.terminal);
  found.terminal->resize(size_of(wish.value), loop_.clock().monotonic_ms());
  return {};
}

void Sessions::attach(NumberFrame wish, std::unique_ptr<Channel> channel, std::int32_t pid) {
  const auto found = supervisor_.on_terminal(wish.number);
  if (found.terminal == nullptr || person_) {
    encode_refused(channel->out(),
                   found.terminal == nullptr
                       ? no_session()
                       : Error{ErrorKind::kDenied,
                               "a person has taken the session over already" +
                                   named(found.terminal->attached()),
                               "only one at a time can; moonlet session screen shows it"});
    channel->flush();
    return;
  }
  FdWatch watch(loop_.raw(), channel->fd(), [this](int status, int events) {
    if (status < 0) return detach();
    if ((events & UV_READABLE) != 0) serve_person();
  });
  person_ = {std::move(channel), wish.number, false, std::move(watch)};
  found.terminal->resize(size_of(wish.value), loop_.clock().monotonic_ms());
  encode_text(person_->channel->out(), found.terminal->screen().redraw());
  found.terminal->attach([this](std::string_view bytes) { show(bytes); },
                         pid > 0 ? pid : kUnknownProcess);
}

void Sessions::show(std::string_view bytes) {
  if (person_->channel->pending_bytes() + bytes.size() > kPersonBacklog) person_->behind = true;
  if (!person_->behind) encode_text(person_->channel->out(), bytes);
}

void Sessions::detach() {
  if (!person_) return;
  if (const auto found = supervisor_.on_terminal(person_->number); found.terminal != nullptr) {
    found.terminal->attach(nullptr, 0);
  }
  (void)person_->channel->flush();
  person_.reset();
}

bool Sessions::obey(const Frame& frame) {
  if (frame.type == FrameType::kType) {
    auto typed = decode_type(frame.body);
    if (!typed) return false;
    typed->number = person_->number;
    (void)type(*typed, true);
    return true;
  }
  auto wish = frame.type == FrameType::kResize ? decode_number(frame.body) : std::nullopt;
  if (!wish) return false;
  wish->number = person_->number;
  return resize(*wish, true).ok();
}

void Sessions::serve_person() {
  bool open = person_->channel->fill() == Channel::Read::kOk;
  while (true) {
    auto frame = person_->channel->next();
    if (!frame) return detach();
    if (!*frame) break;
    if (!obey(**frame)) return detach();
  }
  if (!open) detach();
}

void Sessions::before_waiting() {
  if (!supervisor_.has_terminals() && !person_) return;
  if (!is_sampling_) {
    is_sampling_ = true;
    sampling_ = loop_.after(kSampleMs, [this] {
      is_sampling_ = false;
      supervisor_.sample_terminals();
    });
  }
  if (supervisor_.flush_terminals() && !is_flushing_) {
    is_flushing_ = true;
    flushing_ = loop_.after(kFlushMs, [this] { is_flushing_ = false; });
  }
  if (!person_) return;
  Channel& channel = *person_->channel;
  const auto found = supervisor_.on_terminal(person_->number);
  if (channel.pending() && !channel.flush()) return detach();
  if (found.terminal == nullptr) {
    if (!channel.pending()) detach();
    return;
  }
  if (person_->behind && !channel.pending()) {
    person_->behind = false;
    encode_text(channel.out(), found.terminal->screen().redraw());
    if (!channel.flush()) return detach();
  }
  person_->watch.want(UV_READABLE | (channel.pending() ? UV_WRITABLE : 0));
}

}  // namespace moonlet
