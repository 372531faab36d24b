// Dir owns the descriptor of a directory, below which the host reaches every file by relative path.
// Refuses absolute paths, "..", and links that lead out, even if the tree changes meanwhile.
// Never blocks on a FIFO or device. Errors name the operation and the path. Any thread.
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
  std::uint64_t total = 0;     ///< number of entries in the directory, including omitted ones
  bool cut = false;            ///< true if `entries` is incomplete
};

struct FileInfo {
  EntryKind kind = EntryKind::kOther;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;  ///< the last change of any kind; programs cannot set this time
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint32_t mode = 0;  ///< permission bits
  std::uint64_t links = 0;
};

struct FileBytes {
  std::string bytes;       ///< the start of the file, at most `cap` bytes
  std::uint64_t size = 0;  ///< the size of the whole file
  bool cut = false;        ///< true if the file is longer than `bytes`
};

enum class Durable : bool { kNo, kYes };

class Dir {
 public:
  /// Opens an existing directory by its absolute path. Follows links, because the user chose it.
  static Result<Dir> open(const std::string& absolute);

  /// Opens a directory by its absolute path. Makes it and its missing parents with mode 0700.
  static Result<Dir> make(const std::string& absolute);

  /// Makes a new directory with mode 0700, and its missing parents.
  /// Returns false if a file or folder with this name exists.
  static Result<bool> make_new(const std::string& absolute);

  int fd() const { return fd_.get(); }
  /// Returns the absolute path that was opened, for messages and child processes.
  const std::string& path() const { return path_; }
  /// Returns path() + "/" + rel, for messages and child processes.
  std::string path_of(std::string_view rel) const;

  /// Opens a directory below this directory, without following links; "." reopens this one.
  Result<Dir> dir(std::string_view rel) const;

  /// Reads up to `cap` bytes of a regular file.
  /// Follows a link only if the kernel guarantees that it stays below this directory.
  Result<FileBytes> read_file(std::string_view rel, std::size_t cap) const;
  Result<Fd> open_read(std::string_view rel) const;
  /// Makes an unnamed file with `bytes`, open at its start.
  /// A child can read the file as stdin, so that the host needs no pipe.
  Result<Fd> spool(std::string_view bytes) const;
  /// Like lstat(), does not follow a link at the end of the path.
  Result<FileInfo> stat(std::string_view rel) const;
  /// Returns true if stat() succeeds; false if `rel` is missing or inaccessible.
  bool exists(std::string_view rel) const { return stat(rel).ok(); }
  /// Lists the names in a directory, at most the first `cap`.
  Result<Listing> list(std::string_view rel, std::size_t cap) const;
  /// Calls `fn` for each entry, unordered and in constant memory, until `fn` returns false.
  Result<void> each(std::string_view rel, const std::function<bool(Entry)>& fn) const;

  /// Makes the directory and its parents. Accepts existing directories, but no links.
  Result<void> make_dirs(std::string_view rel, Durable durable = Durable::kNo) const;
  /// Makes a directory in an existing parent. Returns false if the name is taken.
  Result<bool> create_exclusive_dir(std::string_view rel, Durable durable = Durable::kNo) const;

  /// Opens or makes a regular file for appending. Refuses a file with other hard links.
  Result<Fd> open_append(std::string_view rel) const;
  /// Opens or makes a regular file for reading and writing. Refuses a file with other hard links.
  Result<Fd> open_update(std::string_view rel) const;
  /// Replaces the file atomically. On error, the old file stays.
  /// Other hard links keep the old content. A symbolic link at `rel` is replaced, not followed.
  /// Durable::kYes waits for the disk. A `mode` other than 0 sets the permission bits.
  /// `may_replace` runs right before the rename. If it fails, its error is returned.
  Result<void> write_file(std::string_view rel, std::string_view bytes, Durable durable,
                          const std::function<Result<void>()>& may_replace = {},
                          std::uint32_t mode = 0) const;
  /// Copies a regular file with its permission bits and modification time, and replaces the file
  /// `to_rel` atomically. Does not wait for the disk.
  Result<void> copy_file(std::string_view rel, const Dir& to, std::string_view to_rel) const;

  /// Removes a file or link. Returns true if it existed.
  Result<bool> remove_file(std::string_view rel) const;
  /// Removes a file or folder tree without following links or leaving the file system.
  /// Fails with kLimit after `max_entries`. A missing `rel` is not an error.
  Result<void> remove_tree(std::string_view rel, std::uint64_t max_entries = 10'000'000) const;
  /// Renames a file or folder below this directory. Replaces an existing file `to`.
  Result<void> rename(std::string_view from, std::string_view to) const;
  /// Syncs files that were written with Durable::kNo, and the folders above them.
  /// Syncs the whole file system in one call if the system can. Skips missing files.
  Result<void> sync_files(const std::vector<std::string>& files) const;
  /// Syncs a directory, so that new, renamed and removed names in it are durable.
  Result<void> sync_dir(std::string_view rel = ".") const;

  /// Returns true if `name` is a name that write_file() gives to temporary files.
  static bool is_temporary(std::string_view name);
  /// Removes temporary files of killed processes from a directory.
  /// Only the holder of that directory's lock may call sweep_temporaries().
  void sweep_temporaries(std::string_view rel = ".") const;

 private:
  // The file `name` in the folder `dir`. Either `held` or the Dir owns the descriptor `dir`.
  struct Place {
    Fd held;
    int dir;
    std::string name;
  };

  Dir(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::string> checked(std::string_view rel, std::string_view doing) const;
  Result<Place> place(std::string_view rel, std::string_view doing) const;
  Result<FileBytes> read_open(const Fd& fd, std::string_view rel, std::size_t cap) const;
  Result<Fd> open_regular(std::string_view rel, std::string_view doing, int flags) const;
  Error failure(int number, std::string_view doing, std::string_view rel) const;

  Fd fd_;
  std::string path_;
};

}  // namespace moonlet
