// RunDriver: a run for as long as this process drives it. It owns the run's lock, its journal, the
// keeper of its children and its log of events. Each operation that writes asks the lock first: if
// this process was stopped and another one has taken the run over, nothing is written any more and
// the error is kDenied. Calls block as long as the disk or the keeper takes, but never wait
// for the lock. No signal handler is installed. Loop thread only.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/artifact/journal/journal.h"
#include "host/artifact/run/directory.h"
#include "host/artifact/run/home.h"
#include "host/base/clock.h"
#include "host/base/loop.h"
#include "host/base/result.h"
#include "host/driver/cancel_request.h"
#include "host/process/client/attempt.h"
#include "host/process/client/keeper.h"
#include "host/process/client/live_index.h"
#include "host/process/wire/keeper_log.h"
#include "host/telemetry/sink.h"

namespace moonlet {

class RunDriver {
 public:
  /// Holds what all runs of one host share. The references are borrowed and outlive the driver.
  struct Host {
    Loop& loop;
    const Clock& clock;
    std::string keeper_program;  ///< the executable that calls keeper_main(); absolute
    LiveIndex live_keepers;
    std::function<void()> on_cancel;  ///< called once, if another process asks for the run's end
  };
  struct Request {
    std::string preset;   ///< its name, without secrets
    std::string task_id;  ///< empty: made of the packet and the run's id, or of preset and time
    std::string packet;
  };

  /// Makes a run with its sidecar and takes its lock. `home` outlives the driver. kInvalid when the
  /// task id is taken. After an error its folder is removed.
  static Result<std::unique_ptr<RunDriver>> create(Host host, Home& home, const Request& request);
  /// Takes the lock of the run `id` for resume(). kFailed while another process drives the run; a
  /// stopped process loses it.
  static Result<std::shared_ptr<LockWait>> lock(Loop& loop, Home& home, std::string_view id);
  /// Drives the run `id` from now on, under the lock. Takes over the keeper of an earlier host if
  /// one lives.
  static Result<std::unique_ptr<RunDriver>> resume(Host host, Home& home, std::string_view id,
                                                   const Request& request, RunLock lock);
  /// Leaves the run as a dying host does: children that may outlive a host continue under the
  /// keeper, and the lock is released.
  ~RunDriver();
  RunDriver(const RunDriver&) = delete;
  RunDriver& operator=(const RunDriver&) = delete;

  const std::string& id() const { return dir_.id(); }
  const std::string& task_id() const { return task_id_; }
  /// The path of its sidecar below `.agent`.
  std::string sidecar() const { return "sidecars/" + task_id_; }
  /// True if the run was driven, or prepared, before.
  bool is_resumed() const { return resumed_; }
  /// kDenied when another process has taken the run over.
  Result<void> still_ours() const { return lock_.check(); }
  /// `.agent`, for reading.
  const Dir& agent() const { return *agent_; }

  // --- files below `.agent` ------------------------------------------------------------------
  /// Replaces run.json, durably.
  Result<void> write_record(std::string_view text);
  /// Replaces a file: durable when this returns, or with the next sync().
  Result<void> write(std::string_view path, std::string_view text, Durable durable);
  Result<void> make_dirs(std::string_view path, Durable durable);
  /// Removes a file or a folder, if it is there.
  Result<void> remove(std::string_view path);
  /// False when there is no such file.
  Result<bool> rename(std::string_view from, std::string_view to);
  /// Removes files that an earlier, killed host had half written in a folder.
  void sweep_temporaries(std::string_view path);
  /// Removes the folders for temporary files that are on record. No child may be left.
  void remove_temporary_folders();
  /// Writes a value of the journal that is too large for its line. kNo: it is durable before the
  /// next durable record.
  Result<void> write_value(std::string_view name, std::string_view text, Durable durable);
  /// kInvalid when there is no such value.
  Result<FileBytes> read_value(std::string_view name, std::size_t cap) const;
  /// The run's secret key, made by the first call.
  Result<std::string> key() const;
  /// Starts to sync the files that were written without `durable`, on another thread.
  void begin_sync();
  /// Returns when those files are on the disk. After an error the run does not count as ended.
  Result<void> sync();

  // --- journal ---------------------------------------------------------------------------------
  /// Opens the journal, see Journal::open(). Call it once per run.
  Result<void> open_journal(const JournalVisitor& visit);
  /// Null before open_journal(). Records are added by the functions below.
  const Journal* journal() const { return journal_.get(); }
  /// Adds a durable record.
  Result<std::shared_ptr<JournalWrite>> append(std::string body);
  std::shared_ptr<JournalWrite> append_relaxed(std::string body);
  /// See Journal::written(); null without a journal, too.
  std::shared_ptr<JournalWrite> written();
  /// True if append() has to sync values first, which blocks.
  bool has_unsynced_values() const { return !unsynced_values_.empty(); }
  /// Brings the values that relaxed records name to the disk. Paid work may follow from a durable
  /// record, so append() does this first.
  Result<void> sync_values();
  /// Counts the records that the script has not been notified of. If there are many, ends of
  /// children are delayed.
  void count_unheard(int more);
  int unheard() const { return unheard_; }

  // --- children --------------------------------------------------------------------------------
  bool has_keeper() const { return keeper_ != nullptr; }
  /// Starts the keeper, or adopts the live one. Kills the children of a dead keeper first.
  Result<void> ensure_keeper();
  /// Opens a text, or the file `path` below `.agent`, as the standard input of a child.
  Result<Fd> open_input(std::string_view text) const;
  Result<Fd> open_input_file(std::string_view path) const;
  Result<std::shared_ptr<ChildOperation>> spawn(ChildSpec spec);
  /// A child of an earlier host by the name of its attempt; null when there is none.
  std::shared_ptr<ChildOperation> find_adopted(std::string_view attempt) const;
  /// A running child, whichever host started it; null if there is none.
  std::shared_ptr<ChildOperation> find_working(std::string_view attempt) const;
  /// The pid of the main process of a running child; 0 if unknown.
  int pid_of(std::string_view attempt) const;
  /// Reads the current state of an attempt from the keepers' log.
  Result<KeptAttempt> present_attempt(std::string_view step, std::string_view attempt) const;
  /// Reads the state of an attempt of an earlier host. Adopts the live keeper.
  Result<KeptAttempt> kept_attempt(std::string_view step, std::string_view attempt);
  /// True if a child of an earlier host still runs.
  bool has_running_children() const;
  /// Ends all children, and the keeper.
  void end_children() { keeper_.reset(); }

  // --- events ----------------------------------------------------------------------------------
  /// Appends the events of `bus` to a file below `.agent` from now on and continues its numbering.
  Result<void> open_events(std::string_view path, Bus& bus);
  /// Stops if another process has taken the run over.
  void check_events();

  /// Checks now for a cancel request, for a host whose event loop does not run.
  void look_for_cancel() { cancel_.look(); }
  /// Removes the run. Only for a run that has not begun.
  static void discard(std::unique_ptr<RunDriver> run);
  /// Marks the run as finished, so that sweeps skip it.
  void mark_finished();

 private:
  RunDriver(Host host, const Dir& agent, RunDir dir, RunLock lock, std::string task_id,
            const Request& request, bool resumed);
  KeeperOptions keeper_options() const;
  Result<void> take_over();
  std::string value_path(std::string_view name) const;
  Result<void> replace(const Dir& where, std::string_view path, std::string_view text,
                       Durable durable) const;
  void close_events(int flush_ms);

  Host host_;
  const Dir* agent_;  // belongs to the home
  RunDir dir_;
  RunLock lock_;
  std::string task_id_;
  std::string label_;  // its name in the index of live keepers
  bool resumed_;
  CancelRequest cancel_;
  std::unique_ptr<Journal> journal_;  // is closed before the lock is released
  int unheard_ = 0;
  std::vector<LoggedKeeper> logged_;          // by keepers of earlier hosts
  std::vector<std::string> unsynced_;         // files that may not be on the disk yet
  std::vector<std::string> unsynced_values_;  // values of relaxed records, likewise
  std::optional<Error> values_failure_;       // why their sync failed; final
  std::shared_ptr<Keeper> keeper_;
  std::map<std::string, std::weak_ptr<ChildOperation>, std::less<>> attempts_;  // started here
  std::future<Result<void>> syncing_;
  Fd events_file_;
  std::unique_ptr<JsonlSink> events_;  // writes into events_file_
  Bus* bus_ = nullptr;                 // the bus that events_ listens to
};

}  // namespace moonlet
