// TreeList records the type, mode, owner, inode, size and times of each entry of a folder tree.
// A later comparison finds every changed entry, because no program can set the change time back.
// Omits `.git` at the top. Fails if a folder is a mount point. Follows no link. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/result.h"

namespace moonlet {

struct TreeChange {
  std::string path;  ///< relative to the top; "" is the top itself
  /// The entry's type before and after: f file, d folder, l link, o other, - missing.
  /// A folder counts as changed only if its mode, owner or attributes differ.
  char was = '-';
  char is = '-';
};

class TreeList {
 public:
  /// Makes an empty list.
  TreeList() = default;

  /// Reads a list that save() has written. Fails if the list is incomplete.
  static Result<TreeList> load(const Dir& dir, std::string_view name);

  /// Returns the number of entries that load() has found, not counting folders.
  std::size_t files() const { return files_; }

  struct Options {
    /// Compares only these paths and their parent folders, or the whole tree if `only` is empty.
    std::vector<std::string> only;
    /// Omits these paths and everything below them. Every update of a list needs the same paths.
    std::vector<std::string> skip;
    const std::atomic<bool>* stop = nullptr;  ///< if it becomes true, the update is aborted
  };

  /// Updates the list to the present tree, and returns the differences, or none for an empty list.
  /// The differences include everything below a removed or new folder. Reads the names in a folder
  /// only if the folder has changed. After an error, the list is unusable.
  Result<std::vector<TreeChange>> update(const Dir& top, const Options& options);

  /// Writes the list, but does not wait for the disk. If an entry has just changed, first waits
  /// some milliseconds, so that a later change gets another change time.
  Result<void> save(const Dir& dir, std::string_view name);

 private:
  struct Stat {
    char type = '-';
    char padding[3] = {};
    std::uint32_t mode = 0, uid = 0, gid = 0;
    std::uint64_t links = 0, inode = 0, size = 0;
    std::int64_t modified = 0, changed = 0;  // ns since 1970
    bool operator==(const Stat&) const = default;
  };
  struct Entry {
    std::string name;
    Stat stat;  // for a folder, only `type` is set; `Folder` has the rest
  };
  struct Folder {
    Stat stat;
    std::string attributes;  // a digest of the extended attributes; "-" if there are none
    // Most folders are unchanged. Such a folder is compared with its text in the saved list,
    // because that needs no memory and runs on several threads.
    bool is_read = true;               // false: the entries are only in `text`, not in `entries`
    std::string_view text;             // the folder's part of the saved list `text_`
    std::vector<std::string> folders;  // names of the subfolders in `text`
    std::vector<Entry> entries;        // sorted by name
  };

  class Update;
  class Reader;
  static Result<Stat> stat_of(int dir, const char* name);
  static void append(std::string& text, const Stat& stat, std::string_view attributes,
                     std::string_view name);
  static Entry folder_entry(std::string name);
  bool scan();
  static void read(Folder& folder);

  std::unique_ptr<const std::string> text_;  // the file that load() has read
  std::size_t files_ = 0;
  std::unordered_map<std::string, Folder> folders_;  // the key is the path; "" is the top folder
};

}  // namespace moonlet
