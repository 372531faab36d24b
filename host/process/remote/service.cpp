#include "host/process/remote/service.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "host/artifact/file/remove_tree.h"
#include "host/base/json.h"
#include "host/process/child/program.h"
#include "host/process/child/tree.h"
#include "host/process/client/sweep.h"
#include "host/process/remote/attempt.h"
#include "host/process/remote/spec.h"
#include "host/process/wire/keeper_log.h"

namespace moonlet {

namespace {

using nlohmann::json;

constexpr std::int64_t kLookPauseMs = 25, kLongestPauseMs = 1000;
constexpr std::int64_t kAlivePauseMs = 1000;
constexpr std::int64_t kLongestLookMs = 60000;
constexpr std::uint64_t kLookBytes = 4u << 20;
constexpr std::uint64_t kMostEntries = 50'000'000;
constexpr std::size_t kMostListed = 10000;
constexpr std::size_t kMostOpen = 256;
constexpr std::uint64_t kMapNameLimit = 100;
constexpr const char* kNoncesFileName = "nonces";
constexpr const char* kEnvironmentFileName = "environment";

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(path, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string name = entry->path().filename();
    if (name[0] != '.' && names.size() < kMostListed) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// `Followed` is an attempt whose changes remote_look() reports.
struct Followed {
  std::string nonce;
  std::uint64_t seen[2] = {0, 0};   ///< how many bytes of each log the host has
  std::uint64_t sizes[2] = {0, 0};  ///< the size of each log on this machine
  Result<RemoteAttempt> attempt = Error{};
  RemoteAttempt::State state = RemoteAttempt::State::kNone;
  std::int64_t looked_ms = 0;  ///< when the keeper was last checked; 0: never

  bool has_news() const {
    // Do not report an unclaimed attempt, because a scheduler's job may still start it.
    return state == RemoteAttempt::State::kEnded || state == RemoteAttempt::State::kGone ||
           sizes[0] > seen[0] || sizes[1] > seen[1];
  }
};

constexpr const char* kLogs[2] = {"stdout.log", "stderr.log"};

void look_at(Followed& followed, const std::string& root, bool here) {
  if (!followed.attempt) followed.attempt = RemoteAttempt::open(root, followed.nonce);
  if (!followed.attempt) {
    followed.state = RemoteAttempt::State::kNone;
    return;
  }
  const std::int64_t now = boot_clock_ms();
  const bool ended = !followed.attempt->exit_text().empty();
  if (ended) {
    followed.state = RemoteAttempt::State::kEnded;
  } else if (followed.looked_ms == 0 || now - followed.looked_ms >= kAlivePauseMs) {
    followed.state = followed.attempt->state(here);
    followed.looked_ms = now;
  }
  for (int stream : {0, 1}) {
    struct stat info;
    const bool is_there =
        fstatat(followed.attempt->fd(), kLogs[stream], &info, AT_SYMLINK_NOFOLLOW) == 0;
    followed.sizes[stream] = is_there ? static_cast<std::uint64_t>(info.st_size) : 0;
  }
}

Result<void> fence(const std::string& root, const std::string& nonce) {
  auto attempt = RemoteAttempt::open(root, nonce);
  if (!attempt) attempt = RemoteAttempt::make(root, nonce);
  if (!attempt) return attempt.error();
  return attempt->has_job() ? Result<void>() : attempt->fence();
}

void report(Followed& followed, const std::string& root, std::uint64_t& budget) {
  if (!followed.attempt) followed.attempt = RemoteAttempt::open(root, followed.nonce);
  json line{{"nonce", followed.nonce}, {"state", to_string(followed.state)}};
  std::string bytes[2];
  if (followed.attempt) {
    for (int stream : {0, 1}) {
      const std::uint64_t there = followed.sizes[stream], seen = followed.seen[stream];
      const std::uint64_t most = std::min(there > seen ? there - seen : 0, budget);
      if (most > 0) bytes[stream] = followed.attempt->read(kLogs[stream], seen, most);
      budget -= bytes[stream].size();
    }
    const std::string map = followed.attempt->read(kMapFileName, 0, kMapNameLimit);
    if (!map.empty()) line["map"] = map;
    if (auto queued = followed.attempt->queued_ms()) line["queue_ms"] = *queued;
    if (auto beat = followed.attempt->last_beat(); beat != 0) line["beat"] = beat;
    if (followed.state == RemoteAttempt::State::kEnded) {
      if (auto exit = parse_json(followed.attempt->exit_text())) line["exit"] = std::move(*exit);
    }
  }
  line["out"] = bytes[0].size();
  line["err"] = bytes[1].size();
  line["out_size"] = followed.sizes[0];
  line["err_size"] = followed.sizes[1];
  print_line(line);
  for (const std::string& part : bytes) std::fwrite(part.data(), 1, part.size(), stdout);
  followed.attempt = Error{};
}

/// Returns the name of an attempt's map, the list of one submission to a scheduler, or "".
std::string map_of(const RemoteAttempt& attempt) {
  const std::string map = attempt.read(kMapFileName, 0, kMapNameLimit);
  return map.substr(0, map.find(' '));
}

/// Removes the map of a submission to a scheduler, unless one of its attempts still needs it.
void remove_unused_map(const std::string& root, const std::string& name) {
  auto map = RemoteAttempt::open(root + "/maps", name);
  if (!map) return;
  std::ifstream nonces(map->path() + "/" + kNoncesFileName);
  for (std::string nonce; std::getline(nonces, nonce);) {
    if (auto attempt = RemoteAttempt::open(root, nonce); attempt && map_of(*attempt) == name)
      return;
  }
  const Fd folder(open((root + "/maps/attempts").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) remove_tree(folder.get(), name.c_str(), kMostEntries);
}

/// Formats the environment of a job for sbatch's --export-file.
/// Omits the folders for temporary files, because the job may run on another machine.
std::string environment_of_job() {
  std::string text;
  for (const auto& [name, value] : plain_environment()) {
    if (name == "TMPDIR" || name == "XDG_RUNTIME_DIR") continue;
    text.append(name).append("=").append(value).push_back('\0');
  }
  return text;
}

json describe_attempt(const std::string& root, const std::string& nonce) {
  json line{{"nonce", nonce}};
  auto attempt = RemoteAttempt::open(root, nonce);
  if (!attempt) return line;
  const bool lives = keeper_is_alive(attempt->fd());
  line["state"] = !attempt->exit_text().empty() ? "ended" : lives ? "running" : "left";
  if (auto keepers = read_keeper_log(attempt->fd()); keepers && !keepers->empty()) {
    const auto& children = keepers->back().children;
    if (!children.empty()) line["step"] = children.begin()->second.step;
  }
  return line;
}

}  // namespace

void print_line(const json& line) {
  const std::string text = json_text(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

json error_of(const Error& error) {
  return {{"kind", to_string(error.kind)}, {"message", error.message}, {"hint", error.hint}};
}

Result<void> remote_probe(const std::string& root, const json&) {
  utsname system{};
  uname(&system);
  json line{{"version", MOONLET_VERSION},
            {"system", system.sysname},
            {"arch", system.machine},
            {"machine", machine_name()},
            {"root", root}};
  line["processors"] = sysconf(_SC_NPROCESSORS_ONLN);
  struct statvfs disk;
  if (statvfs(root.c_str(), &disk) == 0) {
    line["free_bytes"] = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  }
  const char* path = std::getenv("PATH");
  line["programs"] = json::object();
  for (const char* name : {"git", "codex", "claude", "gemini", "opencode"}) {
    if (auto found = find_program(name, path != nullptr ? path : "/usr/bin:/bin", "/")) {
      line["programs"][name] = *found;
    }
  }
  line["attempts"] = json::array();
  for (const std::string& nonce : names_in(root + "/attempts")) {
    line["attempts"].push_back(describe_attempt(root, nonce));
  }
  print_line(line);
  return {};
}

Result<void> remote_look(const std::string& root, const json& request) {
  std::vector<Followed> all;
  for (const json& item : request.at("attempts")) {
    Followed& followed = all.emplace_back();
    followed.nonce = item.at("nonce").get<std::string>();
    followed.seen[0] = item.value("out", std::uint64_t{0});
    followed.seen[1] = item.value("err", std::uint64_t{0});
    if (!request.value("fence", false)) continue;
    if (auto fenced = fence(root, followed.nonce); !fenced) return fenced;
  }
  const bool here = !request.value("elsewhere", false);
  const std::int64_t wait =
      std::clamp<std::int64_t>(request.value("wait_ms", std::int64_t{0}), 0, kLongestLookMs);
  const std::int64_t begin = boot_clock_ms(), give_up = begin + wait;
  // With many attempts, a check takes long. So wait longer, and answer several changes at once.
  const auto pause =
      std::clamp(static_cast<std::int64_t>(all.size()), kLookPauseMs, kLongestPauseMs);
  while (true) {
    bool news = false;
    for (Followed& followed : all) {
      look_at(followed, root, here);
      news = news || followed.has_news();
      if (all.size() > kMostOpen) followed.attempt = Error{};
    }
    // Stop waiting if the host has closed the connection.
    pollfd reader{STDOUT_FILENO, 0, 0};
    poll(&reader, 1, 0);
    if ((reader.revents & (POLLERR | POLLHUP)) != 0) return {};
    const std::int64_t now = boot_clock_ms();
    if (now >= give_up || (news && (pause == kLookPauseMs || now - begin >= pause))) break;
    poll(nullptr, 0, static_cast<int>(std::min(pause, give_up - now)));
  }
  std::uint64_t budget = kLookBytes;
  for (Followed& followed : all) report(followed, root, budget);
  return {};
}

Result<void> remote_prepare(const std::string& root, const json& request) {
  const std::string map = request.at("map").get<std::string>();
  std::string lines;
  std::size_t index = 0;
  std::set<std::string> earlier;  // names of maps from earlier submissions that Slurm refused
  for (const json& spec : request.at("attempts")) {
    const std::string nonce = spec.at("nonce").get<std::string>();
    auto attempt = RemoteAttempt::make(root, nonce);
    if (!attempt) return attempt.error();
    earlier.insert(map_of(*attempt));
    if (auto wrote = attempt->write(kMapFileName, map + " " + std::to_string(index++)); !wrote)
      return wrote;
    if (auto wrote = attempt->write(kSpecFileName, json_text(spec)); !wrote) return wrote;
    lines += nonce + "\n";
  }
  // RemoteAttempt::make() checks the name `map`, and refuses an invalid one.
  auto folder = RemoteAttempt::make(root + "/maps", map);
  if (!folder) return folder.error();
  if (auto wrote = folder->write(kNoncesFileName, lines); !wrote) return wrote;
  if (auto wrote = folder->write(kEnvironmentFileName, environment_of_job()); !wrote) return wrote;
  for (const std::string& name : earlier) remove_unused_map(root, name);
  print_line({{"map", folder->path() + "/" + kNoncesFileName},
              {"environment", folder->path() + "/" + kEnvironmentFileName}});
  return {};
}

Result<void> remote_end(const std::string& root, const json& request) {
  const bool elsewhere = request.value("elsewhere", false);
  for (const std::string& nonce : request.at("nonces").get<std::vector<std::string>>()) {
    auto attempt = RemoteAttempt::make(root, nonce);
    Result<void> ended = attempt ? Result<void>() : Result<void>(attempt.error());
    json line{{"nonce", nonce}};
    if (attempt && elsewhere) {
      auto never = attempt->revoke();
      if (!never) ended = never.error();
      line["never"] = never && *never;
    } else if (attempt) {
      ended = attempt->end();
    }
    line["state"] = ended ? "ended" : "failed";
    if (!ended) line["error"] = error_of(ended.error());
    print_line(line);
  }
  return {};
}

Result<void> remote_remove(const std::string& root, const json& request) {
  std::set<std::string> maps;
  for (const std::string& nonce : request.at("nonces").get<std::vector<std::string>>()) {
    json line{{"nonce", nonce}, {"state", "removed"}};
    auto attempt = RemoteAttempt::open(root, nonce);
    if (attempt && keeper_is_alive(attempt->fd())) {
      line["state"] = "running";
    } else if (attempt) {
      maps.insert(map_of(*attempt));
      const Fd folder(open((root + "/attempts").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      const int failure = folder ? remove_tree(folder.get(), nonce.c_str(), kMostEntries) : errno;
      if (failure != 0) {
        line["state"] = "failed";
        line["error"] = error_of(Error::from_errno(failure, "remove", attempt->path()));
      }
    }
    print_line(line);
  }
  for (const std::string& map : maps) remove_unused_map(root, map);
  return {};
}

}  // namespace moonlet
