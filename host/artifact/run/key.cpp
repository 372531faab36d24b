#include "host/artifact/run/key.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "host/base/fd.h"
#include "host/base/id.h"

namespace moonlet {

namespace {

constexpr const char* kName = "key";
constexpr const char* kUnfinished = "key.new";
constexpr std::size_t kDigits = 64;

bool is_key(const std::string& text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

int write_private(int dir, const char* name, const std::string& text) {
  // Remove the unfinished key of a killed host. That key was never used.
  if (::unlinkat(dir, name, 0) != 0 && errno != ENOENT) return errno;
  Fd file(::openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return errno;
  if (const int number = write_all(file.get(), text); number != 0) return number;
  return ::fsync(file.get()) != 0 ? errno : file.close();
}

}  // namespace

Result<std::string> run_key(const Dir& run_dir) {
  auto kept = run_dir.read_file(kName, kDigits + 1);
  if (kept && is_key(kept->bytes)) return std::move(kept->bytes);
  if (!kept && kept.error().kind != ErrorKind::kInvalid) return kept.error();
  std::string key = random_hex(kDigits / 2);
  int number = write_private(run_dir.fd(), kUnfinished, key);
  if (number == 0 && ::renameat(run_dir.fd(), kUnfinished, run_dir.fd(), kName) != 0)
    number = errno;
  if (number != 0) {
    ::unlinkat(run_dir.fd(), kUnfinished, 0);
    return Error::from_errno(number, "write", run_dir.path_of(kName));
  }
  if (auto synced = run_dir.sync_dir(); !synced) return synced.error();
  return key;
}

}  // namespace moonlet
