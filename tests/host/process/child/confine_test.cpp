#include "host/process/child/confine.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>
#include <thread>

#include "tests/host/process/child/confine_fixture.h"

using namespace moonlet;
using namespace moonlet::test;

namespace {

/// A listening socket on this machine.
class Server {
 public:
  Server() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(fd_.get(), 16) == 0);
    REQUIRE(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  const std::string& port() const { return port_; }

 private:
  Fd fd_;
  std::string port_;
};

class UnixServer {
 public:
  /// "@name" is an abstract socket.
  explicit UnixServer(const std::string& name)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(fd_.get(), 16) == 0);
  }

 private:
  Fd fd_;
};

/// Makes `call` fail with errno `number` in the calling thread and in everything that it starts.
bool refuse_call(long call, int number) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog filter{4, program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("a confined child writes nothing outside", "[linux]") {
  if (!supported(3)) return;
  Place place;
  const std::string &out = place.outside, &work = place.work;
  place.put(work + "/mine", "x");
  const Lines script = {line("create", out + "/new"),
                        line("write", out + "/file"),
                        line("append", out + "/file"),
                        line("empty", out + "/file"),
                        line("truncate", out + "/file"),
                        line("unlink", out + "/file"),
                        line("mkdir", out + "/folder"),
                        line("rmdir", out + "/empty"),
                        line("symlink", "x", out + "/link"),
                        line("fifo", out + "/fifo"),
                        line("bind-unix", out + "/socket"),
                        line("create-beneath", out, "new"),
                        line("create", work + "/../outside/new"),
                        line("write", "/proc/self/root" + out + "/file"),
                        line("create", "/proc/self/cwd" + out + "/new"),
                        line("create", "/tmp/moonlet-confined"),
                        line("create", "/dev/shm/moonlet-confined"),
                        line("write", "/proc/self/oom_score_adj"),
                        line("write", "/proc/sys/kernel/core_pattern")};
  CHECK(place.probe(script) == Lines(script.size(), "EACCES"));

  SECTION("nor by a rename or a link") {
    // With EXDEV the kernel reports another device; mv then copies, and the copy fails.
    for (const std::string& answer : place.probe({line("rename", work + "/mine", out + "/new"),
                                                  line("rename", work + "/mine", out + "/file"),
                                                  line("rename", out + "/file", work + "/theirs"),
                                                  line("link", work + "/mine", out + "/new"),
                                                  line("link", out + "/file", work + "/theirs"),
                                                  line("rename", out + "/file", out + "/new")})) {
      CHECK((answer == "EXDEV" || answer == "EACCES"));
    }
  }
  SECTION("nor through a link of its own making") {
    CHECK(place.probe({line("symlink", out, work + "/folder"),
                       line("symlink", out + "/file", work + "/file"),
                       line("create", work + "/folder/new"), line("append", work + "/file"),
                       line("truncate", work + "/file"), line("unlink", work + "/folder/file")}) ==
          Lines{"ok", "ok", "EACCES", "EACCES", "EACCES", "EACCES"});
  }
  SECTION("nor from a daemon that has left everything") {
    CHECK(place.probe({line("daemonize"), line("create", out + "/new"),
                       line("append", out + "/file"), line("create", work + "/daemon")}) ==
          Lines{"ok", "EACCES", "EACCES", "ok"});
  }
  SECTION("nor by a device") {
    if (geteuid() != 0) return skipped("only root may make a device");
    CHECK(place.probe({line("null-node", work + "/device")}) == Lines{"EACCES"});
  }
  CHECK(place.untouched());
}

TEST_CASE("a confined child works in its writable folders", "[linux]") {
  if (!supported(2)) return;
  Place place;
  place.confinement.writable = {place.work, place.other, place.outside + "/second"};
  const std::string &work = place.work, &other = place.other;
  const Lines script = {line("create", work + "/a"),
                        line("append", work + "/a"),
                        line("empty", work + "/a"),
                        line("truncate", work + "/a"),
                        line("mkdir", work + "/folder"),
                        line("rename", work + "/a", work + "/folder/a"),
                        line("rename", work + "/folder/a", other + "/a"),
                        line("link", other + "/a", work + "/b"),
                        line("symlink", "b", work + "/c"),
                        line("fifo", work + "/fifo"),
                        line("bind-unix", work + "/socket"),
                        line("rename", work + "/folder", other + "/folder"),
                        line("rmdir", other + "/folder"),
                        line("unlink", work + "/b"),
                        line("write", place.outside + "/second"),
                        line("truncate", place.outside + "/second"),
                        line("read", place.outside + "/file"),
                        line("list", "/"),
                        line("append", "/dev/null"),
                        line("write", "/dev/urandom"),
                        line("append", "/dev/stdout"),
                        line("run", "/bin/true")};
  Lines answers = place.probe(script);
  // The text that the script sent to /dev/stdout precedes the next result.
  for (auto& answer : answers) answer.erase(0, answer[0] == 'x' ? 1 : 0);
  CHECK(answers == Lines(script.size(), "ok"));
  // The file is writable, but its folder is not.
  CHECK(place.probe({line("unlink", place.outside + "/second")}) == Lines{"EACCES"});
}

TEST_CASE("a folder stays where folders are kept, and files come and go", "[linux]") {
  if (!supported(2)) return;
  Place place;
  for (const char* folder : {"/.git/hooks", "/src/deep", "/old"}) {
    std::filesystem::create_directories(place.work + folder);
  }
  std::string script =
      "cd '" + place.work +
      "'\n"
      "try() { \"$@\" 2>/dev/null && printf '%s ' \"$n\"; n=$((n + 1)); }\n"
      "n=1\n"
      "try mv .git gone; try mv .git src/gone; try rmdir .git/hooks; try mv .git/hooks away\n"
      "try rmdir old; try mv src other\n"  // 6
      "try touch file; try mv file moved; try rm moved; try mkdir new; try touch new/file\n"
      "try rm new/file; try mv src/deep src/other; try rmdir src/other\n";  // 14
  Confinement rules;
  rules.keeping_folders = {place.work};
  rules.writable = {place.work + "/src"};
  auto ruleset = make_ruleset(rules, {"/bin/sh", nullptr, nullptr, {}});
  REQUIRE(ruleset);
  std::string words[] = {"sh", "-c", script};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  int ends[2];
  REQUIRE(make_output_pipe(ends[0], ends[1]));
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnRequest request;
  request.path = "/bin/sh";
  request.argv = argv;
  request.envp = environ;
  request.fds = {null.get(), writer.get(), writer.get()};
  request.ruleset_fd = ruleset->get();
  const auto started = spawn(request);
  REQUIRE(started);
  writer.close();
  waitpid(started->pid, nullptr, 0);
  char text[200] = {};
  REQUIRE(read_some(reader.get(), text, sizeof text - 1) > 0);
  CHECK(std::string(text) == "7 8 9 10 11 12 13 14 ");
}

TEST_CASE("confinement does not stop these known gaps", "[linux]") {
  if (!supported()) return;
  Place place;
  UnixServer server(place.outside + "/server");
  Fd file(open((place.outside + "/file").c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  place.stdin_fd = file.get();
  CHECK(place.probe({line("chmod", place.outside + "/victim"), line("write-fd", "0"),
                     line("connect-unix", place.outside + "/server")}) == Lines(3, "ok"));
}

TEST_CASE("commits in a linked worktree need exactly four folders of its repository", "[linux]") {
  if (!supported(2)) return;
  if (access("/usr/bin/git", X_OK) != 0) return skipped("there is no /usr/bin/git");
  Place place;
  const std::string repo = place.other + "/repo", tree = place.work + "/tree", git = repo + "/.git";
  auto in_git = [&](const std::string& cwd, Lines words, bool confined) {
    ChildSpec spec = place.run.act("git");
    spec.argv = {"git", "-c", "user.name=n", "-c", "user.email=e"};
    spec.argv.insert(spec.argv.end(), words.begin(), words.end());
    spec.cwd = cwd;
    if (confined) spec.confinement = place.confinement;
    return place.run.run(spec);
  };
  REQUIRE(in_git("/", {"init", "-q", repo}, false).success());
  REQUIRE(in_git(repo, {"commit", "-q", "--allow-empty", "-m", "first"}, false).success());
  REQUIRE(in_git(repo, {"worktree", "add", "-q", "-b", "branch", tree}, false).success());
  place.put(tree + "/file", "text");

  place.confinement.writable = {tree};
  CHECK_FALSE(in_git(tree, {"add", "file"}, true).success());
  place.confinement.writable = {tree, git + "/worktrees/tree", git + "/objects",
                                git + "/refs/heads", git + "/logs/refs/heads"};
  const ChildExit added = in_git(tree, {"add", "file"}, true);
  CHECK(added.err.text == "");
  const ChildExit committed = in_git(tree, {"commit", "-q", "-m", "second"}, true);
  CHECK(committed.err.text == "");
  CHECK(committed.success());
  CHECK(in_git(repo, {"rev-list", "--count", "branch"}, false).out.text == "2\n");
  CHECK_FALSE(in_git(tree, {"config", "core.hooksPath", "/tmp"}, true).success());
  CHECK(place.probe({line("create", git + "/hooks/post-commit"),
                     line("append", git + "/config")}) == Lines(2, "EACCES"));
}

TEST_CASE("reads are restricted when asked", "[linux]") {
  if (!supported()) return;
  Place place;
  place.confinement.restrict_reads = true;
  place.confinement.readable = {place.other, place.outside + "/second", "/no/such/place"};
  place.put(place.other + "/input", "text");
  place.put(place.work + "/script", "#!/bin/sh\nexit 0\n");
  chmod((place.work + "/script").c_str(), 0700);
  const Lines open_to_it = {
      line("read", place.other + "/input"),
      line("list", place.other),
      line("read", place.outside + "/second"),
      line("create", place.work + "/new"),
      line("read", place.work + "/new"),
      line("list", place.work),
      line("run", place.work + "/script"),
      line("run", "/bin/true"),
      line("read", "/etc/passwd"),
      line("read", "/proc/self/status"),
      line("read", "/dev/urandom"),
      line("list", "/dev"),
  };
  CHECK(place.probe(open_to_it) == Lines(open_to_it.size(), "ok"));

  const Lines closed = {
      line("read", place.outside + "/file"),
      line("list", place.outside),
      line("append", place.other + "/input"),
      line("run", place.outside + "/script"),
      line("list", place.run.folder.path()),
      line("list", "/"),
      line("list", "/tmp"),
      line("read", "/proc/self/root" + place.outside + "/file"),
      line("read", "/proc/" + std::to_string(getpid()) + "/root/etc/passwd"),
  };
  place.put(place.outside + "/script", "#!/bin/sh\nexit 0\n");
  chmod((place.outside + "/script").c_str(), 0700);
  CHECK(place.probe(closed) == Lines(closed.size(), "EACCES"));
}

TEST_CASE("a confined child has no network when it is to have none", "[linux]") {
  if (!supported(4)) return;
  Place place;
  Server server;
  const Lines script = {line("connect", server.port()), line("bind", "0"), line("daemonize"),
                        line("connect", server.port())};
  CHECK(place.probe(script) == Lines(4, "ok"));
  place.confinement.no_network = true;
  CHECK(place.probe(script) == Lines{"EACCES", "EACCES", "ok", "EACCES"});
}

TEST_CASE("a confined child signals no process outside and connects to no abstract socket",
          "[linux]") {
  if (!supported(6)) return;
  Place place;
  const std::string name = "@" + place.run.folder.tag();
  UnixServer server(name);
  const std::string self = std::to_string(getpid());
  CHECK(place.probe({line("signal", self), line("signal", std::to_string(place.run.worker())),
                     line("connect-unix", name)}) == Lines(3, "EPERM"));
}

TEST_CASE("terminals are out of reach unless asked for", "[linux]") {
  if (!supported(5)) return;
  Fd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) {
    return skipped("no pseudo-terminals");
  }
  const std::string users = ptsname(master.get());
  Place place;
  CHECK(place.probe({line("append", users), line("type", users), line("terminal")}) ==
        Lines(3, "EACCES"));
  place.confinement.terminals = true;
  CHECK(place.probe({line("terminal")}) == Lines{"ok"});
}

TEST_CASE("older kernels enforce the rules that they know", "[linux]") {
  if (!supported(6)) return;
  Place place;
  Server server;
  place.confinement.writable = {place.work, place.other};
  for (int abi = 1; abi <= 6; ++abi) {
    INFO("ABI " << abi);
    place.put(place.work + "/a", "x");
    const Lines answers = probe_with_abi(
        place.confinement, abi,
        {line("create", place.outside + "/new"), line("append", place.outside + "/file"),
         line("rename", place.work + "/a", place.other + "/a"),
         line("truncate", place.outside + "/victim"), line("signal", std::to_string(getpid()))});
    CHECK(answers == Lines{"EACCES", "EACCES", abi < 2 ? "EXDEV" : "ok", abi < 3 ? "ok" : "EACCES",
                           abi < 6 ? "ok" : "EPERM"});
    place.put(place.outside + "/victim", "precious");
    CHECK(place.untouched());

    Confinement offline = place.confinement;
    offline.no_network = true;
    if (abi >= 4) {
      CHECK(probe_with_abi(offline, abi, {line("connect", server.port())}) == Lines{"EACCES"});
    } else {
      auto refused = make_ruleset(offline, {"/bin/true"}, {abi, {}});
      REQUIRE_FALSE(refused);
      CHECK(refused.error().kind == ErrorKind::kDenied);
      CHECK(refused.error().message.find("(ABI " + std::to_string(abi) + ")") != std::string::npos);
    }
  }
}

TEST_CASE("a confinement that cannot be made starts nothing", "[linux]") {
  if (!supported()) return;
  Place place;
  SECTION("a writable path that is not there") {
    place.confinement.writable.push_back(place.run.folder.path() + "/nowhere");
    const Error error = place.refused();
    CHECK(error.kind == ErrorKind::kInvalid);
    CHECK(error.message.find("/nowhere") != std::string::npos);
  }
  SECTION("a relative one") {
    place.confinement.writable.emplace_back("work");
    CHECK(place.refused().message == "the writable path 'work' is not absolute");
  }
  SECTION("one with a NUL byte") {
    place.confinement.writable.emplace_back(std::string("/tmp\0/x", 7));
    CHECK(place.refused().kind == ErrorKind::kInvalid);
  }
}

TEST_CASE("without Landlock the reason is reported", "[linux]") {
  auto ruleset = make_ruleset({}, {"/bin/true"}, {0, "this kernel has no Landlock"});
  REQUIRE_FALSE(ruleset);
  CHECK(ruleset.error().kind == ErrorKind::kDenied);
  CHECK(ruleset.error().message == "the step cannot be confined: this kernel has no Landlock");
}

TEST_CASE("a kernel that refuses confinement has the step not started", "[linux]") {
  if (!supported()) return;
  struct Case {
    long call;
    int number;
    const char* says;
  };
  for (const Case& each : {Case{444, ENOSYS, "this kernel has no Landlock"},
                           Case{444, EOPNOTSUPP, "Landlock is switched off"},
                           Case{444, EPERM, "cannot ask the kernel for Landlock"},
                           Case{446, EPERM, "cannot confine the process"},
                           Case{446, E2BIG, "too many confinements"}}) {
    INFO(each.says);
    bool filtered = false;
    // Runs in its own thread, because a filter can never be removed. The keeper inherits it.
    std::thread([&] {
      filtered = refuse_call(each.call, each.number);
      if (!filtered) return;
      Place place;
      const Error error = place.refused();
      CHECK(error.message.find(each.says) != std::string::npos);
      ChildSpec free = place.run.act("probe", line("create", place.outside + "/new"));
      CHECK(place.run.run(free).out.text == "ok\n");
    }).join();
    if (!filtered) return skipped("this process may not filter system calls");
  }
}

TEST_CASE("a confined root lacks the rights that reach beyond its files", "[linux]") {
  if (!supported()) return;
  Place place;
  const std::string self = std::to_string(getpid());
  const Lines answers = place.probe({line("read", "/proc/" + self + "/environ"),
                                     line("read", "/proc/" + self + "/maps"),
                                     line("read", "/proc/self/environ"), line("lift-brand")});
  CHECK(answers == Lines{"EACCES", "EACCES", "ok", "EPERM"});
}
