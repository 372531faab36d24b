// Dir owns the descriptor of one directory; every file of the host is reached by a relative path
// beneath it. It refuses absolute paths, "..", and links that lead out, also under a race; it
// never blocks on a FIFO or device. Errors name the operation and the path. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

enum class EntryKind { kFile, kDir, kLink, kOther };

struct Entry {
  std::string name;
  EntryKind kind;
};

struct Listing {
  std::vector<Entry> entries;  ///< sorted bytewise
  std::uint64_t total = 0;     ///< how many there are
  bool cut = false;            ///< true when `entries` holds only the first of them
};

struct FileInfo {
  EntryKind kind = EntryKind::kOther;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  ///< the last change of any kind; no program can set it
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;  ///< permission bits
  std::uint64_t links = 0;
};

struct FileBytes {
  std::string bytes;       ///< at most the cap, from the start
  std::uint64_t size = 0;  ///< the size of the whole file
  bool cut = false;        ///< true when there is more than `bytes`
};

enum class Durable : bool { kNo, kYes };

class Dir {
 public:
  /// Opens an existing directory by its absolute path; links in that path are followed, because the
  /// user chose it.
  static Result<Dir> open(const std::string& absolute);

  /// Opens a directory by its absolute path. Makes it and its missing parents with mode 0700.
  static Result<Dir> make(const std::string& absolute);

  /// Makes a new directory with mode 0700, and its missing parents. False if anything with that
  /// name exists.
  static Result<bool> make_new(const std::string& absolute);

  int fd() const { return fd_.get(); }
  /// The absolute path that was opened; for messages and for children that need a path.
  const std::string& path() const { return path_; }
  /// path() + "/" + rel, for messages and children.
  std::string path_of(std::string_view rel) const;

  /// Opens a directory below this one; "." opens this one again. Follows no links.
  Result<Dir> dir(std::string_view rel) const;

  /// Up to `cap` bytes of a regular file. Follows links that stay below this directory, if the
  /// kernel can check that.
  Result<FileBytes> read_file(std::string_view rel, std::size_t cap) const;
  /// Opens a regular file for reading.
  Result<Fd> open_read(std::string_view rel) const;
  /// Makes an unnamed file that holds `bytes`, open at its start. A child can read it as stdin, so
  /// that the host needs no pipe.
  Result<Fd> spool(std::string_view bytes) const;
  /// Like lstat(): does not follow a link at the end of the path.
  Result<FileInfo> stat(std::string_view rel) const;
  /// False also if it cannot be accessed.
  bool exists(std::string_view rel) const { return stat(rel).ok(); }
  /// The names in a directory, the first `cap` of them.
  Result<Listing> list(std::string_view rel, std::size_t cap) const;
  /// Calls `fn` for each entry, unordered and in constant memory, until `fn` returns false.
  Result<void> each(std::string_view rel, const std::function<bool(Entry)>& fn) const;

  /// Makes the directory and its parents. Existing directories are fine, links are not.
  Result<void> make_dirs(std::string_view rel, Durable durable = Durable::kNo) const;
  /// Makes one directory whose parent exists. False when the name is taken by anything.
  Result<bool> create_exclusive_dir(std::string_view rel, Durable durable = Durable::kNo) const;

  /// Opens a regular file for appending, creating it. Refuses a file with other hard links.
  Result<Fd> open_append(std::string_view rel) const;
  /// Opens a regular file for reading and writing, creating it. Refuses other hard links.
  Result<Fd> open_update(std::string_view rel) const;
  /// Replaces the file atomically: readers see all of the old or all of the new content, and an
  /// error leaves the old file. Other hard links keep the old content; a symbolic link at `rel` is
  /// replaced, not followed. With kYes the file is on the disk on return. `may_replace`, if given,
  /// is called when all is written, right before the rename; its error keeps the old file and is
  /// returned. `mode` sets the permission bits unless it is 0.
  Result<void> write_file(std::string_view rel, std::string_view bytes, Durable durable,
                          const std::function<Result<void>()>& may_replace = {},
                          std::uint32_t mode = 0) const;

  /// Removes a file or link; true when there was one.
  Result<bool> remove_file(std::string_view rel) const;
  /// Removes a directory with all beneath it (or a file), of any depth, without following links or
  /// leaving the file system. Gives up with kLimit after `max_entries`. A missing `rel` is fine.
  Result<void> remove_tree(std::string_view rel, std::uint64_t max_entries = 10'000'000) const;
  /// Renames within this directory's tree, in place of the file `to`.
  Result<void> rename(std::string_view from, std::string_view to) const;
  /// Syncs files that were written with Durable::kNo, with their names and folders, in one wait if
  /// the system can. Skips files that do not exist any more.
  Result<void> sync_files(const std::vector<std::string>& files) const;
  /// Makes the names in a directory durable.
  Result<void> sync_dir(std::string_view rel = ".") const;

  /// True for the temporary names that write_file() uses before it renames a file.
  static bool is_temporary(std::string_view name);
  /// Removes the temporary files of write_file that a killed process left in a directory. Only for
  /// the holder of that directory's lock.
  void sweep_temporaries(std::string_view rel = ".") const;

 private:
  struct Place {  // the home of a name: its parent, held open if it is not this directory
    Fd held;
    int dir;
    std::string name;
  };

  Dir(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::string> checked(std::string_view rel, std::string_view doing) const;
  Result<Place> place(std::string_view rel, std::string_view doing) const;
  Result<Fd> open_regular(std::string_view rel, std::string_view doing, int flags) const;
  Error failure(int number, std::string_view doing, std::string_view rel) const;

  Fd fd_;
  std::string path_;
};

}  // namespace moonlet
