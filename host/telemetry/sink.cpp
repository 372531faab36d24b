#include "host/telemetry/sink.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr int kDeepest = 100;

nlohmann::json redacted(const Redactor& redactor, const nlohmann::json& value, int depth) {
  if (value.is_string()) return redactor.apply(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  // Limit the depth, because serializing JSON recurses.
  if (depth == kDeepest) return "[nested too deeply]";
  if (value.is_array()) {
    auto out = nlohmann::json::array();
    for (const auto& item : value) out.push_back(redacted(redactor, item, depth + 1));
    return out;
  }
  auto out = nlohmann::json::object();
  for (const auto& [key, item] : value.items()) {
    out[redactor.apply(key)] = redacted(redactor, item, depth + 1);
  }
  return out;
}

}  // namespace

Result<std::uint64_t> last_event_number(int fd) {
  // A line has at most 1 MiB, so the last 2 MiB of the file contain a complete line.
  constexpr off_t kLook = off_t{2} << 20;
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < 0) return Error::from_errno(errno, "read", "events.jsonl");
  std::string text(static_cast<std::size_t>(std::min(size, kLook)), '\0');
  const ssize_t got = ::pread(fd, text.data(), text.size(), size - static_cast<off_t>(text.size()));
  if (got < 0) return Error::from_errno(errno, "read", "events.jsonl");
  text.resize(static_cast<std::size_t>(got));
  if (!text.empty() && text.back() != '\n' && ::write(fd, "\n", 1) != 1) {
    return Error::from_errno(errno, "write", "events.jsonl");
  }
  while (!text.empty()) {
    const auto start = text.rfind('\n', text.size() - 1);
    const auto from = start == std::string::npos ? 0 : start + 1;
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(from),
                                            text.end(), nullptr, false);
    if (line.is_object() && line.value("number", nlohmann::json()).is_number_unsigned()) {
      return line["number"].get<std::uint64_t>();
    }
    text.resize(start == std::string::npos ? 0 : start);
  }
  return std::uint64_t{0};
}

JsonlSink::JsonlSink(int fd, std::string name, std::size_t line_cap)
    : writer_(fd, std::move(name)), line_cap_(line_cap) {}

void JsonlSink::emit(const Event& event) {
  last_ms_ = event.wall_ms;
  report_drops(event.wall_ms);
  auto line = json_text(to_json(event));
  if (line.size() > line_cap_) {
    Event cut{event.type,
              event.wall_ms,
              std::string(cut_end(event.run, 80)),
              std::string(cut_end(event.step, 400)),
              {},
              event.number};
    const auto data = json_text(event.fields);
    cut.fields = {{"cut", true},
                  {"bytes", data.size()},
                  {"head", std::string(cut_end(data, std::min<std::size_t>(1000, line_cap_ / 4)))}};
    line = json_text(to_json(cut));
  }
  (void)writer_.write(line);
}

void JsonlSink::report_drops(std::int64_t wall_ms) {
  const auto dropped = writer_.dropped();
  if (dropped == reported_ || writer_.failed() || writer_.pending()) return;
  Event warning{EventType::kWarning, wall_ms, {}, {}, {}};
  warning.fields = {{"text", "events were left out: the reader is too slow"},
                    {"dropped", dropped - reported_}};
  reported_ = dropped;
  (void)writer_.write(json_text(to_json(warning)));
}

void JsonlSink::flush(int timeout_ms) {
  writer_.flush(timeout_ms);
  report_drops(last_ms_);
  writer_.flush(0);
}

void CallbackSink::emit(const Event& event) {
  if (!fn_) return;
  std::string what;
  try {
    return fn_(event);
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {
    what = "an exception of unknown type";
  }
  fn_ = nullptr;
  Error error;
  error.message = "the event callback failed and is not called again: " + printable(what);
  error.hint = "catch exceptions inside the callback";
  failure_ = std::move(error);
}

std::optional<Error> CallbackSink::take_failure() { return std::exchange(failure_, std::nullopt); }

void Bus::remove(Sink& sink) {
  sinks_.erase(std::remove(sinks_.begin(), sinks_.end(), &sink), sinks_.end());
}

void Bus::emit(const Event& event) {
  waiting_.push_back({event.type, event.wall_ms != 0 ? event.wall_ms : clock_.wall_ms(),
                      redactor_.apply(event.run), redactor_.apply(event.step),
                      redacted(redactor_, event.fields, 0)});
  if (delivering_) return;
  delivering_ = true;
  while (!waiting_.empty()) {
    Event next = std::move(waiting_.front());
    waiting_.pop_front();
    deliver(std::move(next));
  }
  delivering_ = false;
}

void Bus::deliver(Event event) {
  if (!event.run.empty()) event.number = ++number_;
  for (Sink* sink : sinks_) sink->emit(event);
  for (Sink* sink : sinks_) {
    if (auto failure = sink->take_failure()) {
      Event warning{EventType::kWarning, event.wall_ms, event.run, {}, {}};
      warning.fields = {{"text", redactor_.apply(failure->message)}};
      waiting_.push_back(std::move(warning));
    }
  }
}

}  // namespace moonlet
