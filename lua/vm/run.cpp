#include "lua/vm/run.h"

#include <system_error>

#include "host/process/client/sweep.h"
#include "lua/vm/services.h"

namespace moonlet {

KeeperOptions Run::keeper_options(const Services& services) const {
  KeeperOptions options;
  options.program = services.keeper_program;
  options.run_dir_fd = dir->dir().fd();
  options.output_dir_fd = agent->fd();
  options.run_id = dir->id();
  options.generation = lock->generation();
  return options;
}

Result<void> Run::adopt(Services& services) {
  if (!resumed || keeper) return {};
  auto adopted = Keeper::adopt(services.loop, keeper_options(services));
  if (!adopted) return adopted.error();
  keeper = std::move(*adopted);
  return {};
}

/// The processes of a dead keeper are ended before a new keeper starts.
Result<Keeper*> Run::ensure_keeper(Services& services) {
  if (keeper) return keeper.get();
  if (auto adopted = adopt(services); !adopted) return adopted.error();
  if (keeper) return keeper.get();
  if (resumed) {
    if (auto swept = sweep(dir->dir().fd()); !swept) return swept.error();
  }
  KeeperOptions options = keeper_options(services);
  const auto live = services.live_keepers().make();  // without the index it runs all the same
  if (live) options.live_dir_fd = live->fd();
  options.label = label;
  auto started = Keeper::start(services.loop, std::move(options));
  if (!started) return started.error();
  keeper = std::move(*started);
  return keeper.get();
}

Result<void> Run::still_ours() const { return lock ? lock->check() : Result<void>(); }

Result<void> Run::write(const Dir& where, std::string_view path, std::string_view text,
                        Durable durable) const {
  if (auto ours = still_ours(); !ours) return ours;
  // Once more right before the old file goes: a process may be stopped for long while it writes.
  return where.write_file(path, text, durable, [this] { return still_ours(); });
}

void Run::begin_sync() {
  if (unsynced.empty() || syncing.valid()) return;
  try {
    syncing = std::async(std::launch::async,
                         [this, files = unsynced] { return agent->sync_files(files); });
    unsynced.clear();
  } catch (const std::system_error&) {
    // There is no thread to be had; sync() does it.
  }
}

Result<void> Run::sync() {
  if (syncing.valid()) {
    if (auto begun = syncing.get(); !begun) return begun;
  }
  auto synced = agent->sync_files(unsynced);
  if (synced) unsynced.clear();
  return synced ? sync_values() : synced;
}

Result<void> Run::sync_values() {
  if (unsynced_values.empty()) return {};
  // After a failure another sync proves nothing.
  if (values_failure) return *values_failure;
  auto synced = agent->sync_files(unsynced_values);
  if (synced) {
    unsynced_values.clear();
  } else {
    values_failure = synced.error();
  }
  return synced;
}

}  // namespace moonlet
