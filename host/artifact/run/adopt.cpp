#include "host/artifact/run/adopt.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/file/swap_names.h"
#include "host/artifact/journal/journal.h"
#include "host/artifact/journal/lock.h"

namespace moonlet {

namespace {

Result<void> append_record(Loop& loop, const Dir& staged, const Adoption& adoption) {
  auto lock = RunLock::try_take(staged, adoption.id, TakeOver::kNo).lock;
  if (!lock) return lock.error();
  auto journal = Journal::open(staged, *lock, loop);
  if (!journal) return journal.error();
  const auto write = (*journal)->append(adoption.body);
  if (auto flushed = (*journal)->flush_blocking(); !flushed) return flushed;
  return write->result();
}

/// Renames without replacing. Returns 0 or an errno; EEXIST if the name is taken.
int rename_new(const Dir& agent, const std::string& from, const std::string& to) {
  if (rename_to_new_name(agent.fd(), from.c_str(), agent.fd(), to.c_str()) == 0) return 0;
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOSYS) return errno;
  if (agent.exists(to)) return EEXIST;
  return ::renameat(agent.fd(), from.c_str(), agent.fd(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

Result<bool> adopt_run(Loop& loop, const Dir& agent, Adoption adoption) {
  auto staged = agent.dir(adoption.staged);
  if (!staged) return staged.error();
  const auto journal = staged->stat(kJournalName);
  if (!journal) return journal.error();
  if (auto added = append_record(loop, *staged, adoption); !added) return added.error();
  if (auto written = staged->write_file("run.json", adoption.record, Durable::kYes); !written) {
    return written.error();
  }
  const std::string place = "runs/" + std::string(adoption.id);
  const int number = rename_new(agent, std::string(adoption.staged), place);
  if (number == EEXIST || number == ENOTEMPTY) {
    auto file = staged->open_update(kJournalName);
    if (!file) return file.error();
    if (::ftruncate(file->get(), static_cast<off_t>(journal->size)) != 0) {
      return Error::from_errno(errno, "write", staged->path_of(kJournalName));
    }
    return false;
  }
  if (number != 0) return Error::from_errno(number, "write", agent.path_of(place));
  if (auto synced = agent.sync_dir("runs"); !synced) return synced.error();
  return true;
}

}  // namespace moonlet
