// A Sink receives events. The Bus redacts each event once and passes it to every sink. If a sink
// fails, the Bus reports the failure once, as a warning to the other sinks. Loop thread only.
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
  /// Returns an error once after the sink has failed. A failed sink drops all later events.
  virtual std::optional<Error> take_failure() { return std::nullopt; }
};

/// Returns the number of the last event in a run's events.jsonl, or 0 if it has none. If a killed
/// host has left a partial line, ends the line with a newline.
Result<std::uint64_t> last_event_number(int fd);

/// Writes each event as a JSON line. Replaces data that is too large by {"cut": true, "bytes",
/// "head"}. If the reader was too slow, adds a warning with the number of dropped lines.
class JsonlSink final : public Sink {
 public:
  JsonlSink(int fd, std::string name, std::size_t line_cap = std::size_t{1} << 20);
  void emit(const Event& event) override;
  /// Waits at most `timeout_ms` until all lines are written.
  void flush(int timeout_ms);
  std::optional<Error> take_failure() override { return writer_.take_failure(); }
  /// Returns the writer, so that a loop can poll its descriptor while lines wait.
  LineWriter& writer() { return writer_; }

 private:
  void report_drops(std::int64_t wall_ms);

  LineWriter writer_;
  std::size_t line_cap_;
  std::uint64_t reported_ = 0;
  std::int64_t last_ms_ = 0;
};

/// Passes events to a function. If the function throws, it is not called again.
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
  /// Borrows both arguments, which must outlive the bus.
  Bus(const Redactor& redactor, const Clock& clock) : redactor_(redactor), clock_(clock) {}

  /// Borrows the sink, which must be removed before it is destroyed. A sink must not call add().
  void add(Sink& sink) { sinks_.push_back(&sink); }
  void remove(Sink& sink);

  /// Redacts all strings and keys, and passes the event to each sink. Cuts data that is nested more
  /// than 100 levels deep. Delivers events that a sink emits after the current event.
  void emit(const Event& event);
  /// Sets the number of the run's last recorded event. Later events continue from it.
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
