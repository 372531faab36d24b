#include "host/process/remote/spec.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <map>
#include <utility>
#include <vector>

extern char** environ;

namespace moonlet {

namespace {

using nlohmann::json;

constexpr std::int64_t kLongestMs = std::int64_t{30} * 24 * 3600 * 1000;

/// Returns true for variables that every child gets. SLURM_* and SBATCH_* are not among them.
bool is_plain(std::string_view name) {
  for (std::string_view plain : {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE",
                                 "TZ", "TMPDIR", "XDG_RUNTIME_DIR"}) {
    if (name == plain) return true;
  }
  return name.starts_with("LC_");
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Makes a folder and its parents. Ignores failures.
void make_private_folders(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    (void)mkdir(path.substr(0, at).c_str(), 0700);
    if (at == std::string::npos) return;
  }
}

class Reader {
 public:
  Reader(RemoteAttempt& attempt, const json& spec) : attempt_(attempt), spec_(spec) {}

  Result<ChildSpec> read() {
    ChildSpec child;
    child.step = spec_.value("step", std::string("step"));
    child.attempt = attempt_.nonce();
    child.argv = texts("argv");
    child.cwd = text(spec_.value("cwd", mark()));
    read_environment(child);
    child.wall_ms = limit("wall_ms", kLongestMs);
    if (child.wall_ms == 0) child.wall_ms = kLongestMs;
    child.idle_ms = limit("idle_ms", kLongestMs);
    child.out = OutputSpec::to_file("stdout.log", cap("cap"));
    child.err = OutputSpec::to_file("stderr.log", cap("stderr_cap"));
    child.durable = child.outlives_host = child.own_cgroup = true;
    for (const auto& [name, value] : pairs("secrets")) child.secrets.push_back({name, value});
    if (auto written = write_files(); !written) return written.error();
    if (spec_.contains("writable")) read_confinement(child);
    return with_input(std::move(child));
  }

 private:
  std::string mark() const { return "@" + attempt_.nonce() + "@"; }

  std::string text(std::string given) const {
    const char* home = std::getenv("HOME");
    given = replace_all(std::move(given), mark(), attempt_.path());
    return replace_all(std::move(given), "@" + attempt_.nonce() + ":home@",
                       home != nullptr ? home : "/");
  }

  Pairs pairs(const char* name) const { return spec_.value(name, Pairs()); }

  std::vector<std::string> texts(const char* name) const {
    auto list = spec_.value(name, std::vector<std::string>());
    for (std::string& item : list) item = text(std::move(item));
    return list;
  }

  std::int64_t limit(const char* name, std::int64_t most) const {
    return std::clamp<std::int64_t>(spec_.value(name, std::int64_t{0}), 0, most);
  }

  std::uint64_t cap(const char* name) const {
    return static_cast<std::uint64_t>(limit(name, std::int64_t{1} << 40));
  }

  void read_environment(ChildSpec& child) const {
    Pairs env = plain_environment();
    for (const auto& [name, value] : pairs("env")) env[name] = text(value);
    for (const auto& [name, value] : env) child.env.push_back(name + "=" + value);
  }

  void read_confinement(ChildSpec& child) const {
    Confinement& rules = child.confinement.emplace();
    for (std::string& path : texts("writable")) {
      // Make a program's missing state folders, because Landlock accepts only existing paths.
      if (!path.ends_with(".json")) make_private_folders(path);
      if (access(path.c_str(), F_OK) == 0) rules.writable.push_back(std::move(path));
    }
    rules.readable = texts("readable");
    rules.restrict_reads = spec_.value("restrict_reads", false);
    rules.no_network = !spec_.value("network", true);
  }

  Result<void> write_files() {
    for (const std::string& folder : spec_.value("folders", std::vector<std::string>())) {
      if (auto made = attempt_.make_folders(folder); !made) return made;
    }
    for (const auto& [name, content] : pairs("files")) {
      if (auto done = attempt_.write(name, text(content)); !done) return done;
    }
    for (const auto& [folder, targets] :
         spec_.value("links", std::map<std::string, std::vector<std::string>>())) {
      if (auto made = attempt_.make_folders(folder); !made) return made;
      for (const std::string& item : targets) {
        const std::string target = text(item);
        const std::string name = folder + "/" + target.substr(target.rfind('/') + 1);
        if (symlinkat(target.c_str(), attempt_.fd(), name.c_str()) != 0 && errno != EEXIST) {
          return Error::from_errno(errno, "link", name);
        }
      }
    }
    return {};
  }

  Result<ChildSpec> with_input(ChildSpec child) const {
    const std::string file = spec_.value("stdin_file", std::string());
    if (file.empty()) return child;
    child.stdin_fd = openat(attempt_.fd(), file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (child.stdin_fd < 0) return Error::from_errno(errno, "open", attempt_.path() + "/" + file);
    return child;
  }

  RemoteAttempt& attempt_;
  const json& spec_;
};

}  // namespace

Pairs plain_environment() {
  Pairs env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const auto sign = variable.find('=');
    if (sign != std::string_view::npos && is_plain(variable.substr(0, sign))) {
      env.emplace(variable.substr(0, sign), variable.substr(sign + 1));
    }
  }
  return env;
}

Result<ChildSpec> read_remote_spec(RemoteAttempt& attempt, const nlohmann::json& spec) {
  try {
    return Reader(attempt, spec).read();
  } catch (const std::exception& err) {
    return Error{ErrorKind::kInvalid, std::string("the description of the step: ") + err.what(),
                 "both ends must be the same version of moonlet"};
  }
}

}  // namespace moonlet
