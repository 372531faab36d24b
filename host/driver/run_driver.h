// RunDriver owns a run that this process drives: its lock, journal, keeper and event log.
// Each write checks the lock. After a takeover by another process, writes fail with kDenied.
// Calls block on the disk or the keeper, but never on the lock. Loop thread only.
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
  /// Host has the state that all runs of a host share. The references must outlive the driver.
  struct Host {
    Loop& loop;
    const Clock& clock;
    std::string keeper_program;  ///< absolute path of the executable that calls keeper_main()
    LiveIndex live_keepers;
    std::function<void()> on_cancel;  ///< called once, if another process asks to end the run
  };
  struct Request {
    std::string preset;   ///< the name of the preset; must contain no secret
    std::string task_id;  ///< if empty, an id is made of packet and run id, or of preset and time
    std::string packet;
  };

  /// Creates a run with its sidecar and takes its lock. `home` must outlive the driver.
  /// Fails with kInvalid if the task id is taken. An error leaves no folder.
  static Result<std::unique_ptr<RunDriver>> create(Host host, Home& home, const Request& request);
  /// Acquires the lock of the run `id` for resume(), even from a process that is stopped.
  /// Fails with kFailed while another process drives the run.
  static Result<std::shared_ptr<LockWait>> lock(Loop& loop, Home& home, std::string_view id);
  /// Resumes the run `id` under its lock. Adopts the live keeper of an earlier host.
  static Result<std::unique_ptr<RunDriver>> resume(Host host, Home& home, std::string_view id,
                                                   const Request& request, RunLock lock);
  /// Releases the lock, but does not end the run.
  /// Children that are allowed to outlive a host continue under the keeper.
  ~RunDriver();
  RunDriver(const RunDriver&) = delete;
  RunDriver& operator=(const RunDriver&) = delete;

  const std::string& id() const { return dir_.id(); }
  const std::string& task_id() const { return task_id_; }
  std::string sidecar() const { return "sidecars/" + task_id_; }
  /// Returns true if resume() opened the run, and false if create() made it.
  bool is_resumed() const { return resumed_; }
  /// Returns kDenied if another process has taken over the run.
  Result<void> still_ours() const { return lock_.check(); }
  /// Returns the `.agent` folder. Only read there, because writes must check the run's lock.
  const Dir& agent() const { return *agent_; }

  /// Replaces run.json durably.
  Result<void> write_record(std::string_view text);
  /// Replaces a file. With Durable::kNo, the file is durable only after the next sync().
  Result<void> write(std::string_view path, std::string_view text, Durable durable);
  Result<void> make_dirs(std::string_view path, Durable durable);
  /// Removes a file or folder, if it exists.
  Result<void> remove(std::string_view path);
  /// Returns false if the file does not exist.
  Result<bool> rename(std::string_view from, std::string_view to);
  /// Removes half-written files of an earlier, killed host from a folder.
  void sweep_temporaries(std::string_view path);
  /// Removes the recorded folders for temporary files. Call it only when no child is running.
  void remove_temporary_folders();
  /// Writes a value that is too large for its journal line.
  /// With Durable::kNo, the value is durable before the next durable record.
  Result<void> write_value(std::string_view name, std::string_view text, Durable durable);
  /// Reads a value of write_value(). Fails with kInvalid if the value does not exist.
  Result<FileBytes> read_value(std::string_view name, std::size_t cap) const;
  /// Returns the run's secret key, which the first call makes.
  Result<std::string> key() const;
  /// Syncs the files that were written with Durable::kNo, on another thread.
  void begin_sync();
  /// Waits until all files that were written with Durable::kNo are on the disk.
  /// After an error, do not record the end of the run.
  Result<void> sync();

  /// Opens the journal, see Journal::open(). Call open_journal() once per run.
  Result<void> open_journal(const JournalVisitor& visit);
  /// Returns null before open_journal().
  const Journal* journal() const { return journal_.get(); }
  /// Appends a durable record.
  Result<std::shared_ptr<JournalWrite>> append(std::string body);
  std::shared_ptr<JournalWrite> append_relaxed(std::string body);
  /// Writes the records of append_relaxed(), see Journal::written(). Returns null if none waits.
  std::shared_ptr<JournalWrite> written();
  /// Returns true if values of earlier records may not be on the disk yet. append() then syncs them
  /// first, which blocks the event loop.
  bool has_unsynced_values() const { return !unsynced_values_.empty(); }
  /// Syncs the values that were written with Durable::kNo. append() calls sync_values() first, so
  /// that a durable record never refers to a value that a power loss can destroy.
  Result<void> sync_values();
  /// Adds `more` to the number of records that the script has not read.
  /// While many records are unread, no child completes.
  void count_unheard(int more);
  int unheard() const { return unheard_; }

  bool has_keeper() const { return keeper_ != nullptr; }
  /// Starts the keeper or adopts the live keeper. First kills the children of a dead keeper.
  Result<void> ensure_keeper();
  /// Opens a text, or the file `path` below `.agent`, as the standard input of a child.
  Result<Fd> open_input(std::string_view text) const;
  Result<Fd> open_input_file(std::string_view path) const;
  Result<std::shared_ptr<ChildOperation>> spawn(ChildSpec spec);
  /// Returns an earlier host's child by the name of its attempt; null if unknown.
  std::shared_ptr<ChildOperation> find_adopted(std::string_view attempt) const;
  /// Returns the running child of an attempt, whichever host started it; null if there is none.
  std::shared_ptr<ChildOperation> find_working(std::string_view attempt) const;
  /// Returns the pid of a running child's main process; 0 if unknown.
  int pid_of(std::string_view attempt) const;
  /// Reads the current state of an attempt from the keepers' log.
  Result<KeptAttempt> present_attempt(std::string_view step, std::string_view attempt) const;
  /// Reads the state of an attempt of an earlier host. Adopts the live keeper.
  Result<KeptAttempt> kept_attempt(std::string_view step, std::string_view attempt);
  /// Returns true if a child of an earlier host still runs.
  bool has_running_children() const;
  void end_children() { keeper_.reset(); }

  /// Appends all later events of `bus` to a file below `.agent`.
  /// Numbers them from the file's last event.
  Result<void> open_events(std::string_view path, Bus& bus);
  /// Stops the event log if another process has taken over the run.
  void check_events();

  /// Checks for a cancel request now, for a host that blocks its event loop.
  void look_for_cancel() { cancel_.look(); }
  /// Removes a run that has not begun.
  static void discard(std::unique_ptr<RunDriver> run);
  /// Marks the run as finished, so that sweeps skip the run.
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
  const Dir* agent_;  // owned by the Home, which outlives the driver
  RunDir dir_;
  RunLock lock_;
  std::string task_id_;
  std::string label_;  // the run's name in the index of live keepers
  bool resumed_;
  CancelRequest cancel_;
  std::unique_ptr<Journal> journal_;  // destroyed before `lock_`, which it needs
  int unheard_ = 0;
  std::vector<LoggedKeeper> logged_;          // the keepers in the run's keeper.log
  std::vector<std::string> unsynced_;         // files that may not be on the disk yet
  std::vector<std::string> unsynced_values_;  // paths of values that may not be on the disk yet
  std::optional<Error> values_failure_;       // first error of sync_values(); later calls return it
  std::shared_ptr<Keeper> keeper_;
  std::map<std::string, std::weak_ptr<ChildOperation>, std::less<>>
      attempts_;  // this host's children
  std::future<Result<void>> syncing_;
  std::ptrdiff_t syncing_count_ = 0;  // `syncing_` syncs this many files at the front of unsynced_
  Fd events_file_;
  std::unique_ptr<JsonlSink> events_;  // writes into events_file_
  Bus* bus_ = nullptr;                 // the bus that events_ listens to
};

}  // namespace moonlet
