// Sinks take events; the Bus redacts each event once and hands it to all of them. A sink that fails
// is reported once to the others and never ends the host. Loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/base/clock.h"
#include "host/base/result.h"
#include "host/telemetry/event.h"
#include "host/telemetry/line_writer.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void emit(const Event& event) = 0;
  /// Waits up to `timeout_ms` until everything is written.
  virtual void flush(int timeout_ms) { (void)timeout_ms; }
  /// Returns a failure once. After a failure the sink drops all events.
  virtual std::optional<Error> take_failure() { return std::nullopt; }
};

/// The number of the last event of a run in its file, from its last whole line; 0 for none. A host
/// that was killed may have left a part of a line at the end: a newline is added to it.
Result<std::uint64_t> last_event_number(int fd);

/// A JSON object a line. A line above the cap has its data replaced by
/// {"cut": true, "bytes", "head"}. If a slow reader forces it to drop lines, it adds a warning.
class JsonlSink final : public Sink {
 public:
  JsonlSink(int fd, std::string name, std::size_t line_cap = std::size_t{1} << 20);
  void emit(const Event& event) override;
  void flush(int timeout_ms) override;
  std::optional<Error> take_failure() override { return writer_.take_failure(); }
  /// The writer, for an event loop that polls its descriptor while lines wait.
  LineWriter& writer() { return writer_; }

 private:
  void report_drops(std::int64_t wall_ms);

  LineWriter writer_;
  std::size_t line_cap_;
  std::uint64_t reported_ = 0;
  std::int64_t last_ms_ = 0;
};

/// Hands events to a function. An exception counts as a failure: the function is not called again.
class CallbackSink final : public Sink {
 public:
  explicit CallbackSink(std::function<void(const Event&)> fn) : fn_(std::move(fn)) {}
  void emit(const Event& event) override;
  std::optional<Error> take_failure() override;

 private:
  std::function<void(const Event&)> fn_;
  std::optional<Error> failure_;
};

class Bus {
 public:
  /// Both are borrowed and outlive the bus.
  Bus(const Redactor& redactor, const Clock& clock) : redactor_(redactor), clock_(clock) {}

  /// The sink is borrowed; remove it before it is destroyed. Not to be called from within a sink.
  void add(Sink& sink) { sinks_.push_back(&sink); }
  void remove(Sink& sink);

  /// Redacts all strings (keys too) and hands the event to each sink. Events that sinks emit
  /// meanwhile follow afterwards. Data nested deeper than 100 is cut there.
  void emit(const Event& event);
  void flush(int timeout_ms);
  /// The events of a run are numbered from here on; `last` is the number of its last one so far.
  void number_from(std::uint64_t last) { number_ = last; }

 private:
  void deliver(Event event);

  const Redactor& redactor_;
  const Clock& clock_;
  std::vector<Sink*> sinks_;
  std::deque<Event> waiting_;
  std::uint64_t number_ = 0;
  bool delivering_ = false;
};

}  // namespace moonlet
