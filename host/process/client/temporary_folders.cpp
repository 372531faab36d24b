#include "host/process/client/temporary_folders.h"

#include <algorithm>
#include <string>

#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

constexpr std::string_view kPrefix = "moonlet-";
constexpr std::size_t kDigits = 16, kLongestPath = 4096, kMostRecords = 100'000;

/// Removes a recorded folder. Returns true if the folder is gone.
bool remove_recorded(const Dir& run_dir, const std::string& name) {
  auto text = run_dir.read_file(std::string(kTemporaryRecords) + "/" + name, kLongestPath);
  if (!text || text->cut) return false;
  std::string path = text->bytes;
  while (!path.empty() && path.back() == '\n') path.pop_back();
  const std::size_t slash = path.rfind('/');
  if (path.empty() || path[0] != '/' || path.compare(slash + 1, path.size(), name) != 0) {
    return false;
  }
  auto parent = Dir::open(slash == 0 ? "/" : path.substr(0, slash));
  if (!parent) return true;
  return parent->remove_tree(name).ok();
}

}  // namespace

bool is_temporary_folder_name(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits || name.substr(0, kPrefix.size()) != kPrefix) {
    return false;
  }
  const std::string_view digits = name.substr(kPrefix.size());
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void remove_temporary_folders(const Dir& run_dir) {
  // The records of a copied run name the original run's folders, so remove nothing.
  if (keeper_log_is_copy(run_dir.fd())) return;
  auto records = run_dir.list(kTemporaryRecords, kMostRecords);
  if (!records) return;
  bool all = !records->cut;
  for (const Entry& entry : records->entries) {
    if (entry.kind != EntryKind::kFile || !is_temporary_folder_name(entry.name) ||
        !remove_recorded(run_dir, entry.name)) {
      all = false;
      continue;
    }
    (void)run_dir.remove_file(std::string(kTemporaryRecords) + "/" + entry.name);
  }
  if (all) (void)run_dir.remove_tree(kTemporaryRecords);
}

}  // namespace moonlet
