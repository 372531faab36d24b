// Run: the run that an engine drives at the moment, as its primitives see it: its folders, its
// redactor, the keeper of its children. The services own it; loop thread only.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/artifact/journal/journal.h"
#include "host/artifact/run/directory.h"
#include "host/artifact/run/home.h"
#include "host/base/result.h"
#include "host/process/client/keeper.h"
#include "host/process/wire/keeper_log.h"
#include "host/telemetry/sink.h"
#include "lua/vm/cancel_request.h"
#include "lua/vm/lua_api.h"

namespace moonlet {

struct Services;

struct Run {
  const Dir* agent = nullptr;  ///< `.agent`; belongs to a Home that the registry holds
  std::optional<RunDir> dir;
  std::optional<RunLock> lock;
  std::string task_id;
  std::string label;                      ///< its name in the index of live keepers
  bool resumed = false;                   ///< it had been driven, or prepared, before
  std::unique_ptr<CancelRequest> cancel;  ///< another process may ask for its end
  std::unique_ptr<Journal> journal;       ///< once opened; let go before the lock
  int unheard_writes = 0;                 ///< records that a task waits for, or has yet to hear of
  std::vector<LoggedKeeper> keepers;  ///< the records of earlier keepers, once they were asked for
  std::vector<std::string> unsynced;  ///< files of steps that may not be on the disk yet
  std::vector<std::string> unsynced_values;  ///< values of relaxed records, likewise
  std::optional<Error> values_failure;       ///< they cannot be brought to the disk; for good
  std::shared_ptr<Keeper> keeper;            ///< started, or taken over, with the first child
  /// Attempts that this host has started, by their names.
  std::map<std::string, std::weak_ptr<ChildOperation>, std::less<>> attempts;
  std::future<Result<void>> syncing;  ///< the work of begin_sync(); sync() waits for its end

  Fd events_file;
  std::unique_ptr<JsonlSink> events;  ///< into events_file

  /// Takes over the keeper that a host before this one has left, if one lives: from then on it
  /// refuses that host, should it only have been stopped.
  Result<void> adopt(Services& services);
  /// The keeper, started if need be.
  Result<Keeper*> ensure_keeper(Services& services);
  /// kDenied when another process has taken the run over, while this one was stopped: this one must
  /// not write to it any more.
  Result<void> still_ours() const;
  /// Brings the unsynced files to the disk, on a thread of its own, until sync() is called.
  void begin_sync();
  /// Returns when that is done, with the files that came later. After an error no file is known to
  /// be on the disk, and the run does not count as ended.
  Result<void> sync();
  /// Brings the values that relaxed records name to the disk, before a durable record is written
  /// behind them: paid work follows from them.
  Result<void> sync_values();
  /// Dir::write_file, for as long as the run is ours.
  Result<void> write(const Dir& where, std::string_view path, std::string_view text,
                     Durable durable) const;

 private:
  KeeperOptions keeper_options(const Services& services) const;
};

/// The run; raises when none is driven.
Run& check_run(lua_State* L);

}  // namespace moonlet
