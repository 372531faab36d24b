// core.file reads and writes files below an open folder. Users and models choose the paths, so a
// failure is not raised: functions return nil and an error.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

#include "host/artifact/file/dir.h"
#include "host/artifact/file/startup_files.h"
#include "host/artifact/run/manifest.h"
#include "host/base/append_lines.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

constexpr lua_Integer kLargestRead = lua_Integer{256} << 20;
constexpr std::size_t kMostEntries = 1'000'000;
constexpr rlim_t kMostFolders = 128;

/// DirBox owns an open folder. The garbage collector sees only the few bytes of a box, so the
/// process could run out of descriptors before a collection; see collect_folders().
struct DirBox {
  std::optional<Dir> dir;
  std::shared_ptr<std::size_t> open;

  DirBox() = default;
  DirBox(const DirBox&) = delete;
  DirBox& operator=(const DirBox&) = delete;
  ~DirBox() {
    if (open) --*open;
  }
};

const char* kind_name(EntryKind kind) {
  switch (kind) {
    case EntryKind::kFile:
      return "file";
    case EntryKind::kDir:
      return "directory";
    case EntryKind::kLink:
      return "link";
    case EntryKind::kOther:
      return "special file";
  }
  return "special file";
}

/// If many folders are open, collects garbage to close unused ones before the process runs out of
/// descriptors.
void collect_folders(lua_State* L, Services& services) {
  if (services.most_open_folders == 0) {
    rlimit limit{};
    const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    const rlim_t share = known ? limit.rlim_cur / 8 : kMostFolders;
    services.most_open_folders = static_cast<std::size_t>(std::min<rlim_t>(share, kMostFolders));
  }
  if (*services.open_folders < services.most_open_folders) return;
  lua_gc(L, LUA_GCCOLLECT);
  services.most_open_folders = std::max(services.most_open_folders, 2 * *services.open_folders);
}

int push_folder(lua_State* L, Result<Dir> (*open)(std::string)) {
  const std::string_view path = check_text(L, 1);
  Services& services = Services::of(L);
  collect_folders(L, services);
  auto& opened = push_box<std::optional<Result<Dir>>>(L);
  opened = open(std::string(path));
  if (!opened->ok()) return detail::push_failure(L, opened->error());
  auto& box = push_box<DirBox>(L);
  box.dir = std::move(**opened);
  box.open = services.open_folders;
  ++*box.open;
  return 1;
}

/// root(path) opens a folder and returns its handle, or nil and an error
int file_root(lua_State* L) {
  return push_folder(L, [](std::string path) { return Dir::open(std::move(path)); });
}

/// make_root(path) opens a folder and returns its handle, or nil and an error.
/// Creates a missing folder with mode 0700.
int file_make_root(lua_State* L) {
  return push_folder(L, [](std::string path) { return Dir::make(std::move(path)); });
}

/// make_new(path) makes a folder with mode 0700.
/// Returns true, false if the name is taken, or nil and an error.
Result<bool> file_make_new(std::string_view path) { return Dir::make_new(std::string(path)); }

/// write(dir, path, text, durable?) replaces a file atomically, and waits for the disk unless
/// `durable` is false. Returns true, or nil and an error.
Result<void> file_write(const Dir& dir, std::string_view path, std::string_view text,
                        std::optional<bool> durable) {
  return dir.write_file(path, text, durable.value_or(true) ? Durable::kYes : Durable::kNo);
}

/// remove(dir, path) removes a file, or a folder with its content. Returns true, or nil and an
/// error
Result<void> file_remove(const Dir& dir, std::string_view path) { return dir.remove_tree(path); }

/// lock(dir, name, ms?, holder?) locks a file and returns a handle, or nil, an error and a flag.
/// Waits at most `ms`, by default 2000. The flag is true if another process has the lock.
/// The lock lasts until unlock() or the end of the process.
/// `holder` is written into the file, to tell other processes who has the lock.
int file_lock(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  const lua_Integer tries = 1 + luaL_optinteger(L, 3, 2000) / 2;
  std::size_t size = 0;
  const char* holder = luaL_optlstring(L, 4, nullptr, &size);
  auto& handle = push_box<Fd>(L);
  auto& failure = push_box<Error>(L);
  const timespec pause{0, 2'000'000};

  handle = Fd(::openat(dir.fd(), std::string(name).c_str(),
                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  bool held = false;
  int why = handle.get() >= 0 ? EWOULDBLOCK : errno;
  for (lua_Integer i = 0; why == EWOULDBLOCK && !held && i < tries; ++i) {
    if (i > 0) ::nanosleep(&pause, nullptr);
    held = ::flock(handle.get(), LOCK_EX | LOCK_NB) == 0;
    if (!held && errno != EINTR) why = errno;
  }
  if (!held) {
    // Close the descriptor now, because the garbage collector may run much later.
    handle = Fd();
    failure = Error::from_errno(why, "lock", dir.path() + "/" + std::string(name));
    detail::push_failure(L, failure);
    lua_pushboolean(L, why == EWOULDBLOCK);
    return 3;
  }
  // `holder` only informs other processes, so ignore a failed write.
  if (holder != nullptr && ::ftruncate(handle.get(), 0) == 0) {
    (void)write_all(handle.get(), std::string_view(holder, size));
  }
  lua_pushvalue(L, -2);
  return 1;
}

int file_unlock(lua_State* L) {
  Fd* handle = to_box<Fd>(L, 1);
  if (handle != nullptr) *handle = Fd();
  return 0;
}

using FileParts = std::tuple<std::string, std::nullptr_t, bool, lua_Integer>;

Error wrong_size() { return {ErrorKind::kInvalid, "0 to 256 MB expected", {}, {}}; }

/// read(dir, path, cap) reads at most `cap` bytes of a file.
/// Returns the text, nil, whether it is truncated, and the file's size; or nil and an error.
Result<FileParts> file_read(const Dir& dir, std::string_view path, lua_Integer cap) {
  if (cap < 0 || cap > kLargestRead) return wrong_size();
  auto read = dir.read_file(path, static_cast<std::size_t>(cap));
  if (!read) return read.error();
  return FileParts(std::move(read->bytes), nullptr, read->cut,
                   static_cast<lua_Integer>(read->size));
}

/// part(dir, path, from, size) returns `size` bytes of a file from an offset, or nil and an error
Result<std::string> file_part(const Dir& dir, std::string_view path, lua_Integer from,
                              lua_Integer size) {
  if (from < 0 || size < 0 || size > kLargestRead) return wrong_size();
  auto file = dir.open_read(path);
  if (!file) return file.error();
  std::string text(static_cast<std::size_t>(size), '\0');
  std::size_t had = 0;
  while (had < text.size()) {
    const ssize_t got = ::pread(file->get(), text.data() + had, text.size() - had,
                                static_cast<off_t>(from) + static_cast<off_t>(had));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "read", dir.path_of(path));
    if (got == 0) break;
    had += static_cast<std::size_t>(got);
  }
  text.resize(had);
  return text;
}

/// stat(dir, path) returns {type, size, mode, mtime_ns, ctime_ns, inode}, or nil and an error.
/// Like lstat(), does not follow a symbolic link at the end of the path.
int file_stat(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  auto& info = push_box<Result<FileInfo>>(L, Error{});
  info = dir.stat(path);
  if (!info) return detail::push_failure(L, info.error());
  lua_createtable(L, 0, 6);
  lua_pushstring(L, kind_name(info->kind));
  lua_setfield(L, -2, "type");
  set_number(L, "size", static_cast<lua_Integer>(info->size));
  set_number(L, "mtime_ns", info->mtime_ns);
  set_number(L, "ctime_ns", info->ctime_ns);
  set_number(L, "inode", static_cast<lua_Integer>(info->inode));
  set_number(L, "mode", info->mode);
  return 1;
}

/// list(dir, path) returns { {name, type}, … } sorted by the bytes of the names, or nil and an
/// error
int file_list(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  auto& listing = push_box<Result<Listing>>(L, Error{});
  listing = dir.list(path, kMostEntries);
  if (!listing) return detail::push_failure(L, listing.error());
  lua_createtable(L, static_cast<int>(listing->entries.size()), 0);
  lua_Integer count = 0;
  for (const Entry& entry : listing->entries) {
    lua_createtable(L, 0, 2);
    set_text(L, "name", entry.name);
    lua_pushstring(L, kind_name(entry.kind));
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, ++count);
  }
  return 1;
}

int push_input(lua_State* L, const InputEntry& entry, const std::string& text) {
  lua_createtable(L, 0, 6);
  set_text(L, "text", text);
  set_text(L, "sha256", entry.sha256);
  set_number(L, "bytes", static_cast<lua_Integer>(entry.bytes));
  set_number(L, "kept", static_cast<lua_Integer>(entry.kept));
  set_flag(L, "cut", entry.cut);
  set_flag(L, "binary", entry.binary);
  return 1;
}

/// load(dir, path, cap) reads a file as input of an agent, in a single pass.
/// Returns {text, sha256, bytes, kept, cut, binary}, or nil and an error message. `text` has the
/// `kept` bytes for the prompt, at most `cap`; `bytes` and `sha256` are of the whole file. `cut` is
/// true if a part is omitted.
int file_load(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  const lua_Integer cap = luaL_checkinteger(L, 3);
  auto& entry = push_box<InputEntry>(L);
  auto& text = push_box<std::string>(L);
  entry.path = path;
  text = load_file(entry, dir, static_cast<std::size_t>(cap));
  if (!entry.error.empty()) {
    lua_pushnil(L);
    lua_pushlstring(L, entry.error.data(), entry.error.size());
    return 2;
  }
  return push_input(L, entry, text);
}

/// take(text, cap) prepares a text as input of an agent. Returns the same table as load()
int file_take(lua_State* L) {
  const std::string_view given = check_text(L, 1);
  const lua_Integer cap = luaL_checkinteger(L, 2);
  auto& entry = push_box<InputEntry>(L);
  auto& text = push_box<std::string>(L);
  text = take_text(entry, given, static_cast<std::size_t>(cap));
  return push_input(L, entry, text);
}

/// is_startup(path, writes) returns true if the path is a startup file; see is_startup_file()
int file_is_startup(lua_State* L) {
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) lua_newtable(L), lua_replace(L, 2);
  return raising<is_startup_file>(L);
}

/// append(dir, path, lines) appends lines to a file. Returns true, or nil and an error.
/// If the file ends with a partial line, for example after a kill, first starts a new line.
Result<void> file_append(const Dir& dir, std::string_view path, std::string_view lines) {
  auto file = dir.open_append(path);
  if (!file) return file.error();
  const int number = append_lines(file->get(), lines);
  if (number != 0) return Error::from_errno(number, "write", std::string(path));
  return {};
}

}  // namespace

const Dir& check_dir(lua_State* L, int index) {
  DirBox* box = to_box<DirBox>(L, index);
  if (box == nullptr || !box->dir) luaL_argerror(L, index, "directory expected");
  return *box->dir;
}

const luaL_Reg kCoreFile[] = {
    {"append", returning<file_append>},
    {"load", guard<file_load>},
    {"take", guard<file_take>},
    {"root", guard<file_root>},
    {"make_root", guard<file_make_root>},
    {"write", returning<file_write, kHostWork>},
    {"read", returning<file_read>},
    {"part", returning<file_part>},
    {"lock", guard<file_lock>},
    {"remove", returning<file_remove, kHostWork>},
    {"unlock", guard<file_unlock>},
    {"stat", guard<file_stat>},
    {"list", guard<file_list>},
    {"rename", returning<&Dir::rename>},
    {"make_new", returning<file_make_new>},
    {"is_startup", guard<file_is_startup>},
    {nullptr, nullptr},
};

}  // namespace moonlet
