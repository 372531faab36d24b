#include "host/executor/tools/guard.h"

#include <algorithm>

namespace moonlet::executor {

namespace {

constexpr std::uint64_t kLargest = 1 << 20;
constexpr std::uint64_t kMostBytes = 16 << 20;
constexpr std::size_t kMostFiles = 20'000;
constexpr int kDeepest = 16;

bool same(const FileInfo& a, const FileInfo& b) {
  return a.kind == b.kind && a.inode == b.inode && a.size == b.size && a.ctime_ns == b.ctime_ns;
}

}  // namespace

Guard::Files Guard::look() const {
  Files files;
  for (const std::string& place : workspace_.read_only()) look_into(place, files, 0);
  return files;
}

void Guard::look_into(const std::string& rel, Files& files, int depth) const {
  if (rel == ".git/objects" || rel == ".git/lfs" || depth > kDeepest) return;
  const Dir& root = workspace_.root();
  auto info = root.stat(rel);
  if (!info || files.size() >= kMostFiles) return;
  if (info->kind != EntryKind::kDir) {
    files[rel] = *info;
    return;
  }
  auto listing = root.list(rel, kMostFiles);
  if (!listing) return;
  for (const Entry& entry : listing->entries) {
    look_into(rel + "/" + entry.name, files, depth + 1);
  }
}

void Guard::remember() {
  const Files files = look();
  for (auto it = saved_.begin(); it != saved_.end();) {
    const auto now = files.find(it->first);
    if (now != files.end() && same(now->second, it->second.info)) {
      ++it;
      continue;
    }
    kept_bytes_ -= it->second.bytes.size();
    it = saved_.erase(it);
  }
  for (const auto& [path, info] : files) {
    if (saved_.count(path) > 0) continue;
    Saved saved{info, {}, false};
    if (info.kind == EntryKind::kFile && info.size <= kLargest &&
        kept_bytes_ + info.size <= kMostBytes) {
      if (auto bytes = workspace_.root().read_file(path, kLargest); bytes && !bytes->cut) {
        saved.bytes = std::move(bytes->bytes);
        saved.kept = true;
        kept_bytes_ += saved.bytes.size();
      }
    }
    saved_.emplace(path, std::move(saved));
  }
}

std::vector<std::string> Guard::put_back() {
  std::vector<std::string> changed;
  const Dir& root = workspace_.root();
  for (const auto& [path, info] : look()) {
    if (saved_.count(path) > 0) continue;
    changed.push_back(root.remove_file(path).ok() ? path : "!" + path);
  }
  const Files files = look();
  for (auto& [path, saved] : saved_) {
    const auto now = files.find(path);
    if (now != files.end() && same(now->second, saved.info)) continue;
    const bool done = restore(path, saved);
    changed.push_back(done ? path : "!" + path);
    if (auto info = root.stat(path)) saved.info = *info;
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

bool Guard::restore(const std::string& path, const Saved& saved) {
  if (!saved.kept) return false;
  const Dir& root = workspace_.root();
  // A folder on the way may be a link by now, or gone.
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string parent = path.substr(0, at);
    auto info = root.stat(parent);
    if (info && info->kind != EntryKind::kDir && !root.remove_file(parent)) return false;
    if (!info && !root.make_dirs(parent)) return false;
  }
  if (auto info = root.stat(path); info && info->kind == EntryKind::kDir) {
    if (!root.remove_tree(path)) return false;
  }
  return root.write_file(path, saved.bytes, Durable::kYes, {}, saved.info.mode).ok();
}

}  // namespace moonlet::executor
