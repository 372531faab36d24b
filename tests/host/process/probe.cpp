#include "tests/host/process/probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <sstream>
#include <vector>

#include "host/process/client/requests.h"

namespace moonlet::test {

namespace {

using Words = std::vector<std::string>;

// Returns 0, or the errno of the first call that failed.
int check(long result) { return result < 0 ? errno : 0; }

int use(const std::string& path, int flags) {
  int fd = open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0) return errno;
  int number = (flags & O_ACCMODE) == O_RDONLY ? 0 : check(write(fd, "x", 1));
  close(fd);
  return number;
}

int create_beneath(const std::string& folder, const std::string& name) {
  int dir = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return errno;
  int number = check(openat(dir, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  close(dir);
  return number;
}

int list(const std::string& path) {
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return errno;
  errno = 0;
  int number = readdir(dir) != nullptr ? 0 : errno;
  closedir(dir);
  return number;
}

int run(const std::string& path) {
  pid_t pid = fork();
  if (pid == 0) {
    execl(path.c_str(), path.c_str(), nullptr);
    _exit(errno);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

int tcp(const std::string& port, bool binds) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  int number = check(binds ? bind(fd, raw, sizeof address) : connect(fd, raw, sizeof address));
  close(fd);
  return number;
}

// "@name" is an abstract socket.
int unix_socket(const std::string& name, bool binds) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  int number = check(binds ? bind(fd, raw, size) : connect(fd, raw, size));
  close(fd);
  return number;
}

// Listens until the process is killed, and accepts no peer.
int listen_for_ever(const std::string& name) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
  if (listen(fd, 16) != 0) return errno;
  pause();
  return 0;
}

// Puts a key into the input queue of a terminal, as if somebody had typed it.
int type_into(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return errno;
  char key = 'x';
  int number = check(ioctl(fd, TIOCSTI, &key));
  close(fd);
  return number;
}

int open_terminal() {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return errno;
  if (unlockpt(master) != 0) return errno;
  int number = use(ptsname(master), O_RDWR);
  close(master);
  return number;
}

// Sends a command to the keeper of the run in this folder.
template <typename Fn>
int command(const std::string& folder, Fn&& fn) {
  int dir = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return errno;
  auto done = fn(dir);
  close(dir);
  if (done) return 0;
  return done.error().kind == ErrorKind::kDenied ? EACCES : EIO;
}

// Leaves the parent, session and process group, but keeps the pipe for results.
int daemonize() {
  if (fork() > 0) _exit(0);
  setsid();
  if (fork() > 0) _exit(0);
  return 0;
}

// Removes the hard limit by which the keeper recognizes its processes.
int lift_brand() {
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  return check(setrlimit(RLIMIT_RTTIME, &none));
}

const std::map<std::string, std::function<int(const Words&)>> kVerbs = {
    {"create", [](const Words& w) { return use(w[1], O_WRONLY | O_CREAT | O_EXCL); }},
    {"create-beneath", [](const Words& w) { return create_beneath(w[1], w[2]); }},
    {"write", [](const Words& w) { return use(w[1], O_WRONLY); }},
    {"append", [](const Words& w) { return use(w[1], O_WRONLY | O_APPEND); }},
    {"empty", [](const Words& w) { return use(w[1], O_WRONLY | O_TRUNC); }},
    {"truncate", [](const Words& w) { return check(truncate(w[1].c_str(), 0)); }},
    {"write-fd", [](const Words& w) { return check(write(std::atoi(w[1].c_str()), "x", 1)); }},
    {"rename", [](const Words& w) { return check(rename(w[1].c_str(), w[2].c_str())); }},
    {"link", [](const Words& w) { return check(link(w[1].c_str(), w[2].c_str())); }},
    {"symlink", [](const Words& w) { return check(symlink(w[1].c_str(), w[2].c_str())); }},
    {"unlink", [](const Words& w) { return check(unlink(w[1].c_str())); }},
    {"mkdir", [](const Words& w) { return check(mkdir(w[1].c_str(), 0700)); }},
    {"rmdir", [](const Words& w) { return check(rmdir(w[1].c_str())); }},
    {"fifo", [](const Words& w) { return check(mkfifo(w[1].c_str(), 0600)); }},
    {"null-node", [](const Words& w) { return check(mknod(w[1].c_str(), S_IFCHR | 0600, 0x103)); }},
    {"chmod", [](const Words& w) { return check(chmod(w[1].c_str(), 0640)); }},
    {"read", [](const Words& w) { return use(w[1], O_RDONLY); }},
    {"list", [](const Words& w) { return list(w[1]); }},
    {"run", [](const Words& w) { return run(w[1]); }},
    {"connect", [](const Words& w) { return tcp(w[1], false); }},
    {"bind", [](const Words& w) { return tcp(w[1], true); }},
    {"connect-unix", [](const Words& w) { return unix_socket(w[1], false); }},
    {"bind-unix", [](const Words& w) { return unix_socket(w[1], true); }},
    {"listen-unix", [](const Words& w) { return listen_for_ever(w[1]); }},
    {"signal", [](const Words& w) { return check(kill(std::atoi(w[1].c_str()), 0)); }},
    {"type", [](const Words& w) { return type_into(w[1]); }},
    {"terminal", [](const Words&) { return open_terminal(); }},
    {"lift-brand", [](const Words&) { return lift_brand(); }},
    {"adopt",
     [](const Words& w) { return command(w[1], [](int d) { return adopt_keeper(d, 99); }); }},
    {"shutdown", [](const Words& w) { return command(w[1], keeper_shutdown); }},
    {"status", [](const Words& w) { return command(w[1], keeper_live); }},
    {"daemonize", [](const Words&) { return daemonize(); }},
};

std::string name_of(int number) {
  switch (number) {
    case 0:
      return "ok";
    case EACCES:
      return "EACCES";
    case EPERM:
      return "EPERM";
    case EXDEV:
      return "EXDEV";
    case EIO:
      return "EIO";
    case ENOENT:
      return "ENOENT";
    default:
      return std::strerror(number);
  }
}

}  // namespace

int probe(const std::string& script) {
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    Words words;
    std::istringstream fields(line);
    for (std::string word; std::getline(fields, word, '\t');) words.push_back(word);
    words.resize(3);
    auto verb = kVerbs.find(words[0]);
    const std::string answer =
        verb == kVerbs.end() ? "what?\n" : name_of(verb->second(words)) + "\n";
    if (write(1, answer.data(), answer.size()) < 0) return 9;
  }
  return 0;
}

}  // namespace moonlet::test
