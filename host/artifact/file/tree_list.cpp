#include "host/artifact/file/tree_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <iterator>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include "host/artifact/file/dir_open.h"
#include "host/artifact/file/swap_names.h"
#include "host/base/digest.h"
#include "host/base/fd.h"

namespace moonlet {

namespace {

constexpr std::string_view kHead = "moonlet-tree 2 ";
constexpr std::string_view kEnd = "end";
constexpr std::size_t kLargestList = std::size_t{2} << 30;
constexpr std::size_t kUsualFolder = 32;
constexpr std::size_t kMostThreads = 4;
constexpr std::size_t kFoldersForThread = 16;
constexpr std::size_t kMostChanges = 1'000'000;
/// The coarsest granularity of the file times that kernels set.
constexpr std::int64_t kStepNs = 12'000'000;

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

std::int64_t wall_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

char type_of(mode_t mode) {
  if (S_ISREG(mode)) return 'f';
  if (S_ISDIR(mode)) return 'd';
  return S_ISLNK(mode) ? 'l' : 'o';
}

}  // namespace

// Inspects an entry of an open folder; with an empty name, the folder itself.
Result<TreeList::Stat> TreeList::stat_of(int dir, const char* name) {
  struct stat info;
  const int failed =
      *name == 0 ? ::fstat(dir, &info) : ::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW);
  Stat stat;
  if (failed != 0) {
    if (errno == ENOENT) return stat;
    return Error::from_errno(errno, "inspect", name);
  }
#ifdef __APPLE__
  const timespec modified = info.st_mtimespec, changed = info.st_ctimespec;
#else
  const timespec modified = info.st_mtim, changed = info.st_ctim;
#endif
  const auto ns = [](const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  stat = {type_of(info.st_mode), {},
          info.st_mode & 07777U, info.st_uid,
          info.st_gid,           info.st_nlink,
          info.st_ino,           static_cast<std::uint64_t>(info.st_size),
          ns(modified),          ns(changed)};
  return stat;
}

// Reader walks over a saved list, or a part of it. A list is kHead with the number of entries and
// the sum of their sizes, the top, the folders, and kEnd. A folder is '/', its path and its
// entries. A NUL ends each text.
class TreeList::Reader {
 public:
  struct Item {
    Stat stat;
    std::string_view attributes;
    std::string_view name;  // NUL-terminated, so system calls can take name.data()
  };

  explicit Reader(std::string_view text) : rest_(text) {}

  const char* at() const { return rest_.data(); }
  bool at_end() const { return rest_.empty(); }
  // Returns the first character of the next part of the list: '/' of a folder's path, 'e' of the
  // word "end", or the type of an entry.
  char kind() const { return rest_.front(); }

  bool word(std::string_view& word) {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) return false;
    word = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool item(Item& item) {
    if (rest_.size() < sizeof item.stat) return false;
    std::memcpy(&item.stat, rest_.data(), sizeof item.stat);
    rest_.remove_prefix(sizeof item.stat);
    // After a power cut, a part of the list's file may read as zeros, so refuse a type that is
    // zero.
    const bool is_type = item.stat.type != 0 && std::strchr("fdlo", item.stat.type) != nullptr;
    return is_type && word(item.attributes) && word(item.name);
  }

 private:
  std::string_view rest_;
};

// Update compares the tree on the disk with a list, and changes the list to match the tree.
class TreeList::Update {
 public:
  Update(TreeList& list, const Dir& top, const Options& options)
      : list_(list), top_(top), options_(options) {}

  Result<std::vector<TreeChange>> run() {
    struct stat info;
    if (::fstat(top_.fd(), &info) != 0) return Error::from_errno(errno, "inspect", top_.path());
    device_ = info.st_dev;
    for (const std::string& path : options_.only) want(path);
    is_new_ = list_.folders_.empty();
    find_same();
    std::vector<std::string> level{""};
    while (!level.empty()) {
      std::vector<std::vector<std::string>> below(level.size());
      for (const std::string& path : level) list_.folders_[path];
      std::vector<std::optional<Error>> errors(level.size());
      const auto visit = [&](std::size_t i) {
        // This needs no lock: several threads run only for an empty list, which has no changes.
        if (changes_.size() > kMostChanges) return;
        if (auto done = folder(level[i], below[i]); !done) errors[i] = done.error();
      };
      // Use threads only for an empty list. In an older list, a removed folder also removes the
      // folders below it, which another thread might be reading.
      in_parallel(is_new_ ? kMostThreads : 1, level.size(), visit);
      if (is_stopped()) {
        return Error{ErrorKind::kCancelled, "the list of files was given up", {}, {}};
      }
      for (auto& error : errors) {
        if (error) return *std::move(error);
      }
      if (changes_.size() > kMostChanges) {
        return Error{ErrorKind::kFailed, "too many files changed", {}, top_.path()};
      }
      level.clear();
      for (auto& names : below) std::move(names.begin(), names.end(), std::back_inserter(level));
    }
    // A replaced entry has two changes: sort its removal ('-') before its addition.
    std::sort(changes_.begin(), changes_.end(), [](const TreeChange& a, const TreeChange& b) {
      return a.path != b.path ? a.path < b.path : a.is < b.is;
    });
    return std::move(changes_);
  }

 private:
  enum class Wanted { kHolder, kAll };  // kAll: a path in Options::only; kHolder: a parent folder

  void want(const std::string& path) {
    wanted_[path] = Wanted::kAll;
    for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1)) {
      wanted_.emplace(path.substr(0, slash), Wanted::kHolder);
    }
  }

  bool is_wanted(const std::string& path) const {
    if (options_.only.empty() || path.empty() || wanted_.count(path) != 0) return true;
    for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = path.rfind('/', slash - 1)) {
      const auto found = wanted_.find(path.substr(0, slash));
      if (found != wanted_.end() && found->second == Wanted::kAll) return true;
    }
    return false;
  }

  // Calls fn(0) to fn(count - 1) on several threads, unless the update is aborted.
  template <typename Fn>
  void in_parallel(std::size_t most, std::size_t count, const Fn& fn) const {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < count && !is_stopped(); i = next++) fn(i);
    };
    most = std::min<std::size_t>(
        {most, std::thread::hardware_concurrency(), count / kFoldersForThread});
    std::vector<std::thread> threads;
    try {
      while (threads.size() + 1 < most) threads.emplace_back(work);
    } catch (const std::system_error&) {
      // Continue with the threads that could be started.
    }
    work();
    for (std::thread& thread : threads) thread.join();
  }

  // Finds unchanged folders. Uses threads, because system calls take most of the time.
  void find_same() {
    struct Known {
      const std::string* path;
      const Folder* folder;
      bool is_same = false;
    };
    std::vector<Known> all;
    for (const auto& [path, folder] : list_.folders_) {
      if (!folder.is_read && is_wanted(path)) all.push_back({&path, &folder});
    }
    in_parallel(kMostThreads, all.size(),
                [&](std::size_t i) { all[i].is_same = is_same(*all[i].path, *all[i].folder); });
    for (const Known& known : all) {
      if (known.is_same) same_.insert(*known.path);
    }
  }

  bool is_same(const std::string& path, const Folder& folder) const {
    const Fd fd(open_folder(path));
    struct stat info;
    if (!fd || ::fstat(fd.get(), &info) != 0 || info.st_dev != device_) return false;
    const auto now = stat_of(fd.get(), "");
    if (!now || !(*now == folder.stat)) return false;
    Reader reader(folder.text);
    for (Reader::Item item; reader.item(item);) {
      if (item.stat.type == 'd') continue;  // a subfolder is compared separately
      if (!options_.only.empty() && !is_wanted(join(path, std::string(item.name)))) continue;
      const auto stat = stat_of(fd.get(), item.name.data());
      if (!stat || !(*stat == item.stat)) return false;
    }
    return true;
  }

  bool is_skipped(const std::string& path, const std::string& name) const {
    const auto& skip = options_.skip;
    return !skip.empty() && std::find(skip.begin(), skip.end(), join(path, name)) != skip.end();
  }

  bool is_stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  int open_folder(const std::string& path) const {
    return open_beneath(top_.fd(), path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY, 0,
                        Links::kNone);
  }

  void folder_is_same(const std::string& path, std::vector<std::string>& pending) const {
    for (const std::string& name : list_.folders_.at(path).folders) {
      std::string below = join(path, name);
      if (is_wanted(below)) pending.push_back(std::move(below));
    }
  }

  Result<void> folder(const std::string& path, std::vector<std::string>& pending) {
    if (same_.count(path) != 0) {
      folder_is_same(path, pending);
      return {};
    }
    const auto fail = [&](int number) {
      return Error::from_errno(number, "list", top_.path_of(path.empty() ? "." : path));
    };
    const Fd fd(open_folder(path));
    if (!fd) return fail(errno);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return fail(errno);
    if (info.st_dev != device_) return fail(EXDEV);
    auto now = stat_of(fd.get(), "");
    if (!now) return now.error();
    Folder& own = list_.folders_.at(path);
    const bool is_same = own.stat == *now;
    if (!is_same) {
      const std::string attributes = digest_of_attributes(fd.get());
      const Stat was = std::exchange(own.stat, *now);
      const bool differs = was.type != 'd' || was.mode != now->mode || was.uid != now->uid ||
                           was.gid != now->gid || own.attributes != attributes;
      own.attributes = attributes;
      if (differs) note(path, was.type, 'd');
    }
    return children(path, own, fd.get(), is_same, pending);
  }

  Result<void> children(const std::string& path, Folder& own, int fd, bool is_same,
                        std::vector<std::string>& pending) {
    read(own);
    std::vector<Entry> was = std::move(own.entries), now;
    std::vector<std::string> names;
    if (is_same) {
      names.reserve(was.size());
      for (const Entry& entry : was) names.push_back(entry.name);
    } else if (auto read = read_names(fd, path, names); !read) {
      return read;
    }
    now.reserve(names.size());
    auto old = was.begin();
    for (std::string& name : names) {
      for (; old != was.end() && old->name < name; ++old)
        gone(join(path, old->name), old->stat.type);
      const bool is_known = old != was.end() && old->name == name;
      if (auto done = child(path, fd, name, is_known ? &*old : nullptr, now, pending); !done) {
        return done;
      }
      if (is_known) ++old;
    }
    for (; old != was.end(); ++old) gone(join(path, old->name), old->stat.type);
    own.entries = std::move(now);
    return {};
  }

  Result<void> child(const std::string& path, int fd, std::string& name, Entry* old,
                     std::vector<Entry>& now, std::vector<std::string>& pending) {
    const std::string full = join(path, name);
    if (old != nullptr && !is_wanted(full)) {
      now.push_back(std::move(*old));
      return {};
    }
    auto stat = stat_of(fd, name.c_str());
    if (!stat) return stat.error();
    const bool was_folder = old != nullptr && old->stat.type == 'd';
    if (stat->type == 'd') {
      if (old != nullptr && !was_folder) note(full, old->stat.type, '-');
      now.push_back(folder_entry(std::move(name)));
      pending.push_back(full);
      return {};
    }
    if (old != nullptr && *stat == old->stat) {
      now.push_back(std::move(*old));
      return {};
    }
    if (was_folder) gone(full, 'd');
    note(full, old == nullptr || was_folder ? '-' : old->stat.type, stat->type);
    if (stat->type != '-') now.push_back({std::move(name), *stat});
    return {};
  }

  void note(const std::string& path, char was, char is) {
    if (!is_new_) changes_.push_back({path, was, is});
  }

  void gone(const std::string& path, char was) {
    note(path, was, '-');
    if (was != 'd') return;
    const auto found = list_.folders_.find(path);
    if (found == list_.folders_.end()) return;
    Folder held = std::move(found->second);
    list_.folders_.erase(found);
    read(held);
    for (const Entry& entry : held.entries) gone(join(path, entry.name), entry.stat.type);
  }

  static std::string digest_of_attributes(int fd) {
    const std::string text = attributes_text(fd);
    return text.empty() ? "-" : sha256_hex(text).substr(0, 16);
  }

  Result<void> read_names(int fd, const std::string& path, std::vector<std::string>& names) {
    Fd copy(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* stream = copy ? ::fdopendir(copy.get()) : nullptr;
    if (stream == nullptr) return Error::from_errno(errno, "list", top_.path_of(path));
    copy.release();
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const std::string_view name = entry->d_name;
      const bool is_own = name == "." || name == ".." || (path.empty() && name == ".git");
      if (!is_own && !is_skipped(path, entry->d_name)) names.emplace_back(name);
      errno = 0;
    }
    const int number = errno;
    ::closedir(stream);
    if (number != 0) return Error::from_errno(number, "list", top_.path_of(path));
    std::sort(names.begin(), names.end());
    return {};
  }

  TreeList& list_;
  const Dir& top_;
  const Options& options_;
  dev_t device_ = 0;
  bool is_new_ = false;  // the list is empty, so threads can fill its folders independently
  std::unordered_map<std::string, Wanted> wanted_;
  std::unordered_set<std::string> same_;
  std::vector<TreeChange> changes_;
};

void TreeList::append(std::string& text, const Stat& stat, std::string_view attributes,
                      std::string_view name) {
  static_assert(std::has_unique_object_representations_v<Stat>);
  text.append(reinterpret_cast<const char*>(&stat), sizeof stat);
  text += attributes;
  text += '\0';
  text += name;
  text += '\0';
}

TreeList::Entry TreeList::folder_entry(std::string name) {
  Entry entry{std::move(name), {}};
  entry.stat.type = 'd';
  return entry;
}

// Finds the folders and their entries in the saved list `text_`. Returns false if the list is
// incomplete.
bool TreeList::scan() {
  Reader reader(*text_);
  std::string_view word;
  std::uint64_t count = 0, seen = 0;
  if (!reader.word(word) || word.substr(0, kHead.size()) != kHead) return false;
  word.remove_prefix(kHead.size());
  if (std::from_chars(word.data(), word.data() + word.size(), count).ec != std::errc())
    return false;
  Reader::Item item;
  const auto add = [&](const std::string& path) {
    Folder& folder = folders_[path];
    folder.stat = item.stat;
    folder.attributes = item.attributes;
  };
  if (!reader.item(item)) return false;
  add("");
  std::string path;
  Folder* folder = nullptr;
  while (!reader.at_end()) {
    if (reader.kind() == 'e') {
      return reader.word(word) && word == kEnd && reader.at_end() && seen == count;
    }
    if (reader.kind() == '/') {
      if (!reader.word(word)) return false;
      path = word.substr(1);
      folder = &folders_[path];
      folder->is_read = false;
      folder->text = std::string_view(reader.at(), 0);
      continue;
    }
    if (folder == nullptr || !reader.item(item)) return false;
    const char* begin = folder->text.data();
    folder->text = std::string_view(begin, static_cast<std::size_t>(reader.at() - begin));
    ++seen;
    if (item.stat.type != 'd') {
      ++files_;
      continue;
    }
    folder->folders.emplace_back(item.name);
    add(join(path, folder->folders.back()));
  }
  return false;
}

// Parses the entries of a folder from its text in the saved list.
void TreeList::read(Folder& folder) {
  if (folder.is_read) return;
  folder.entries.reserve(kUsualFolder);
  Reader reader(folder.text);
  for (Reader::Item item; reader.item(item);) {
    std::string name(item.name);
    folder.entries.push_back(item.stat.type == 'd' ? folder_entry(std::move(name))
                                                   : Entry{std::move(name), item.stat});
  }
  folder.is_read = true;
}

Result<TreeList> TreeList::load(const Dir& dir, std::string_view name) {
  auto read = dir.read_file(name, kLargestList);
  if (!read) return read.error();
  TreeList list;
  list.text_ = std::make_unique<const std::string>(std::move(read->bytes));
  if (read->cut || !list.scan()) {
    return Error{ErrorKind::kFailed, "a list of files is incomplete", {}, dir.path_of(name)};
  }
  return list;
}

Result<void> TreeList::save(const Dir& dir, std::string_view name) {
  std::uint64_t count = 0, bytes = 0;
  std::int64_t newest = 0;
  std::string body;
  const Folder& top = folders_[""];
  append(body, top.stat, top.attributes, "");
  for (auto& [path, folder] : folders_) {
    read(folder);
    newest = std::max(newest, folder.stat.changed);
    body += '/';
    body += path;
    body += '\0';
    for (const Entry& entry : folder.entries) {
      ++count;
      if (entry.stat.type == 'd') {
        const Folder& below = folders_.at(join(path, entry.name));
        append(body, below.stat, below.attributes, entry.name);
      } else {
        append(body, entry.stat, "", entry.name);
        bytes += entry.stat.size;
        newest = std::max(newest, entry.stat.changed);
      }
    }
  }
  std::string text(kHead);
  text += std::to_string(count) + ' ' + std::to_string(bytes);
  text += '\0';
  text += body;
  text += kEnd;
  text += '\0';
  const std::int64_t age = wall_ns() - newest;
  if (age >= 0 && age < kStepNs)
    std::this_thread::sleep_for(std::chrono::nanoseconds(kStepNs - age));
  return dir.write_file(name, text, Durable::kNo);
}

Result<std::vector<TreeChange>> TreeList::update(const Dir& top, const Options& options) {
  return Update(*this, top, options).run();
}

}  // namespace moonlet
