#include "host/process/child/tree.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <unordered_set>

namespace moonlet {

namespace {

// A mark that would be longer than this omits the outer mark. Real nesting stays below the limit.
constexpr std::size_t kMarkLimit = 400;

std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 14695981039346656037u;
  for (unsigned char byte : text) value = (value ^ byte) * 1099511628211u;
  return value ^ value >> 29;
}

}  // namespace

bool born_at(const ProcessInfo& info, std::int64_t born_ms) {
  const std::int64_t tick = 20 + birth_tolerance_ms();
  return info.born_ms >= born_ms - tick && info.born_ms <= born_ms + 1000 + birth_tolerance_ms();
}

std::string mark_value(std::string_view token, std::uint32_t step, std::string_view outer) {
  std::string mark(token);
  mark += '/';
  mark += std::to_string(step);
  if (!outer.empty() && mark.size() + outer.size() < kMarkLimit) {
    mark += ':';
    mark += outer;
  }
  return mark;
}

bool mark_of(std::string_view mark, std::string_view token, std::uint32_t& step) {
  while (!mark.empty()) {
    std::string_view part = mark.substr(0, mark.find(':'));
    mark.remove_prefix(std::min(part.size() + 1, mark.size()));
    if (token.empty() || !part.starts_with(std::string(token) + "/")) continue;
    std::uint32_t number = 0;
    const char* const end = part.data() + part.size();
    const auto parsed = std::from_chars(part.data() + token.size() + 1, end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;
    step = number;
    return true;
  }
  return false;
}

Brand brand_for(std::string_view token, std::uint32_t step) {
  // A brand encodes the run in 36 bits and the step in 24 bits. Soft limits have bit 61 and hard
  // limits have bit 62. Thus each soft limit is below every brand's hard limit, even an outer
  // moonlet's, and above any limit in real use.
  std::uint64_t value = (hash(token) & 0xfffffffffu) << 24 | (step & 0xffffffu);
  return {std::uint64_t{1} << 61 | value, std::uint64_t{1} << 62 | value};
}

bool is_brand(std::uint64_t hard) { return hard >> 60 == std::uint64_t{1} << 2; }

bool may_descend_from_us(pid_t pid) {
  const pid_t self = getpid();
  ProcessInfo info;
  while (pid > 1) {
    if (pid == self || !read_process(pid, info)) return true;
    pid = info.ppid;
  }
  return false;
}

std::vector<TreeMember> find_tree(const std::vector<ProcessInfo>& processes, pid_t self,
                                  const TreeOwners& owners) {
  std::unordered_multimap<pid_t, const ProcessInfo*> by_parent;
  by_parent.reserve(processes.size());
  for (const auto& process : processes) by_parent.emplace(process.ppid, &process);

  std::vector<TreeMember> members;
  std::unordered_set<pid_t> seen{self};
  auto step_of = [](const std::unordered_map<pid_t, std::uint32_t>& steps, pid_t pid) {
    auto step = steps.find(pid);
    return step == steps.end() ? 0 : step->second;
  };
  auto add_children = [&](pid_t parent, std::uint32_t step) {
    auto [first, last] = by_parent.equal_range(parent);
    for (; first != last; ++first) {
      const ProcessInfo& info = *first->second;
      if (!seen.insert(info.pid).second) continue;
      TreeMember member{info, step};
      if (parent == self) {
        member.step = step_of(owners.mains, info.pid);
        if (member.step == 0) member.step = step_of(owners.groups, info.sid);
        if (member.step == 0) member.step = step_of(owners.groups, info.pgid);
        if (member.step == 0 && owners.attribute) member.step = owners.attribute(info);
      }
      members.push_back(member);
    }
  };
  add_children(self, 0);
  for (std::size_t i = 0; i < members.size(); ++i) {
    add_children(members[i].info.pid, members[i].step);
  }
  return members;
}

bool same_process(const ProcessInfo& info) {
  ProcessInfo now;
  return read_process(info.pid, now) && !now.zombie &&
         std::abs(now.born_ms - info.born_ms) <= birth_tolerance_ms();
}

std::size_t end_all_descendants(std::int64_t limit_ms) {
  const std::int64_t give_up = boot_clock_ms() + limit_ms;
  const pid_t self = getpid();
  int pause_ms = 0;
  if (waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) return 0;
  while (true) {
    auto members = find_tree(list_processes(), self, {});
    std::size_t alive = 0;
    for (const auto& member : members) {
      if (member.info.zombie) continue;
      ++alive;
      signal_process(member.info, SIGKILL);
    }
    pid_t reaped;
    bool any = false;
    while ((reaped = waitpid(-1, nullptr, WNOHANG)) > 0) any = true;
    if (reaped < 0 && errno == ECHILD) return 0;
    if (boot_clock_ms() >= give_up) return alive;
    // Do not pause after reaping a child, because a chain of forks could continue during the pause.
    pause_ms = any ? 0 : std::min(pause_ms + 1, 20);
    if (pause_ms > 0) poll(nullptr, 0, pause_ms);
  }
}

}  // namespace moonlet
