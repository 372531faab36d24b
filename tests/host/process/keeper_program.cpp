// Plays a keeper, a host that can be killed, or a child that misbehaves, for the process tests.
//   keeper …            keeper_main()
//   host DIR TAG N      starts N children under a keeper in DIR, and waits to be killed
//   drive DIR TAG GENERATION start|adopt CHILD...
//                       a host that waits for its children, and writes down how they ended;
//                       a CHILD is [+]NAME[=ARG], + for one that outlives its host
//   act NAME TAG [ARG]  a child; TAG only has to stand in its command line, to be found by
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "host/process/client/keeper.h"
#include "host/process/keeper/keeper.h"
#include "tests/host/process/probe.h"

namespace {

const char* program;
std::string tag;
std::string argument;

[[noreturn]] void rest() {
  for (;;) pause();
}

void say(const char* text) {
  if (write(1, text, std::strlen(text)) < 0) _exit(9);
}

void ignore_term() { signal(SIGTERM, SIG_IGN); }

// Leaves its parent, session and process group. Closes the pipes unless `keep_pipes`.
void detach(bool keep_pipes) {
  if (fork() > 0) _exit(0);
  setsid();
  if (fork() > 0) _exit(0);
  if (keep_pipes) return;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  open("/dev/null", O_RDWR);
  if (dup(0) < 0 || dup(0) < 0) _exit(9);
}

void become(const char* name, bool with_environment) {
  const char* argv[] = {program, "act", name, tag.c_str(), nullptr};
  char* none[] = {nullptr};
  execve(program, const_cast<char**>(argv), with_environment ? environ : none);
  _exit(9);
}

void chain(useconds_t pause_us, bool new_session, int generations) {
  ignore_term();
  for (int i = 0; i < generations; ++i) {
    if (new_session) setsid();
    pid_t pid = fork();
    if (pid > 0) _exit(0);
    usleep(pause_us);
  }
}

const std::map<std::string, std::function<void()>> kActs = {
    {"rest", [] { rest(); }},
    {"stubborn",
     [] {
       ignore_term();
       say("ready\n");
       rest();
     }},
    {"daemon",
     [] {
       detach(false);
       ignore_term();
       rest();
     }},
    {"daemon_bare",
     [] {
       detach(false);
       become("stubborn", false);
     }},
    {"family",  // keeps running, with a daemon and a stubborn child
     [] {
       if (fork() == 0) {
         detach(false);
         become("stubborn", false);
       }
       if (fork() == 0) become("stubborn", true);
       say("ready\n");
       rest();
     }},
    {"holder",  // exits while its child keeps the pipes open
     [] {
       if (fork() == 0) rest();
       say("done\n");
       _exit(0);
     }},
    {"holder_daemon",
     [] {
       say("done\n");
       detach(true);
       ignore_term();
       rest();
     }},
    {"late_writer",  // its child writes and ends after it has exited
     [] {
       if (fork() == 0) {
         usleep(200000);
         say("late\n");
         _exit(0);
       }
       say("early\n");
       _exit(0);
     }},
    {"flood",
     [] {
       static char text[65536];
       std::memset(text, 'x', sizeof text);
       int fd = argument == "err" ? 2 : 1;
       while (write(fd, text, sizeof text) > 0) {
       }
       _exit(0);
     }},
    {"bytes",
     [] {
       std::string text(static_cast<std::size_t>(std::atol(argument.c_str())), 'y');
       for (std::size_t at = 0; at < text.size();) {
         ssize_t written = write(1, text.data() + at, text.size() - at);
         if (written <= 0) _exit(9);
         at += static_cast<std::size_t>(written);
       }
       _exit(0);
     }},
    {"stop",
     [] {
       say("stopping\n");
       raise(SIGSTOP);
       say("woken\n");
       rest();
     }},
    {"storm",  // forks 200 short-lived children a second
     [] {
       ignore_term();
       signal(SIGCHLD, SIG_IGN);
       for (;;) {
         if (fork() == 0) _exit(0);
         usleep(5000);
       }
     }},
    {"chain",  // replaces itself by a child, 200 times a second
     [] { chain(5000, false, 1 << 30); }},
    {"chain_sessions", [] { chain(5000, true, 1 << 30); }},
    {"chain_fast", [] { chain(300, true, 1 << 30); }},
    {"threads",  // the first thread ends, another one runs
     [] {
       ignore_term();
       std::thread([] { rest(); }).detach();
       say("ready\n");
       pthread_exit(nullptr);
     }},
    {"crash", [] { raise(SIGUSR1); }},
    {"ticks",  // writes a line to each stream every 10 ms, ARG times
     [] {
       for (int left = std::atoi(argument.c_str()); left > 0; --left) {
         say("tick\n");
         if (write(2, "tock\n", 5) < 0) _exit(9);
         usleep(10000);
       }
       _exit(7);
     }},
    {"bill",  // FILE:MS, appends ARG to FILE and runs for MS
     [] {
       const std::string file = argument.substr(0, argument.find(':'));
       const std::string line = argument + "\n";
       int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
       if (fd < 0 || write(fd, line.data(), line.size()) < 0) _exit(9);
       say("ready\n");
       usleep(
           static_cast<useconds_t>(1000 * std::atoi(argument.c_str() + argument.rfind(':') + 1)));
       _exit(0);
     }},
    {"probe", [] { _exit(moonlet::test::probe(argument)); }},
    {"print_state",
     [] {
       sigset_t blocked;
       sigprocmask(SIG_BLOCK, nullptr, &blocked);
       int odd = 0, open_fds = 0;
       for (int s = 1; s < 32; ++s) {
         struct sigaction action {};
         if (sigaction(s, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) ++odd;
         if (sigismember(&blocked, s) == 1) ++odd;
       }
       for (int fd = 3; fd < 256; ++fd) open_fds += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
       std::printf("signals %d fds %d leader %d\n", odd, open_fds,
                   getsid(0) == getpid() && getpgid(0) == getpid());
       std::fflush(stdout);
       _exit(0);
     }},
};

int act(const std::string& name) {
  auto found = kActs.find(name);
  if (found == kActs.end()) return 2;
  found->second();
  return 0;
}

int host(const char* folder, int count) {
  using namespace moonlet;
  SystemClock clock;
  Loop loop(clock);
  KeeperOptions options;
  options.program = program;
  options.run_dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  options.run_id = "R-001";
  auto keeper = Keeper::start(loop, options);
  if (!keeper) return 3;
  const char* names[] = {"family", "stubborn", "daemon_bare", "rest", "storm", "holder_daemon"};
  std::vector<std::shared_ptr<ChildOperation>> operations;
  for (int i = 0; i < count; ++i) {
    ChildSpec spec;
    spec.step = "step " + std::to_string(i);
    spec.argv = {program, "act", names[i % 6], tag};
    spec.env = {"PATH=/usr/bin:/bin"};
    spec.drain_ms = 60000;
    operations.push_back((*keeper)->spawn(spec));
  }
  while (loop.run_once()) {
  }
  return 0;
}

// --- a host that tests kill, stop or take over from

int report_fd = -1;

void report(const std::string& line) {
  const std::string whole = line + "\n";
  if (write(report_fd, whole.data(), whole.size()) < 0) _exit(9);
}

void report_when_done(const std::shared_ptr<moonlet::ChildOperation>& operation,
                      const std::string& name) {
  operation->on_complete([&exit = operation->exit(), name] {
    report(name + " " + std::string(to_string(exit.why)) + " " + std::to_string(exit.code) + " " +
           std::string(to_string(exit.error.kind)) + " " + exit.error.message);
  });
}

moonlet::ChildSpec driven_child(std::string word, int number) {
  moonlet::ChildSpec spec;
  spec.outlives_host = word[0] == '+';
  if (spec.outlives_host) word.erase(0, 1);
  spec.step = word.substr(0, word.find('='));
  spec.attempt = spec.step + "@" + std::to_string(number);
  spec.argv = {program, "act", spec.step, tag};
  if (word.size() > spec.step.size()) spec.argv.push_back(word.substr(spec.step.size() + 1));
  spec.env = {"PATH=/usr/bin:/bin"};
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) spec.env.push_back(std::string(name) + "=" + value);
  }
  spec.durable = true;
  spec.drain_ms = 60000;
  spec.out = moonlet::OutputSpec::to_file(spec.attempt + ".out");
  return spec;
}

int drive(const char* folder, char** words) {
  using namespace moonlet;
  SystemClock clock;
  Loop loop(clock);
  KeeperOptions options;
  options.program = program;
  options.run_dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  options.run_id = "R-001";
  options.generation = std::strtoull(words[0], nullptr, 10);
  const std::string file = std::string("host-") + words[0] + "-" + std::to_string(getpid());
  report_fd =
      openat(options.run_dir_fd, file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const bool adopts = std::string(words[1]) == "adopt";
  auto keeper = adopts ? Keeper::adopt(loop, options) : Keeper::start(loop, options);
  if (!keeper) {
    report("refused " + std::string(to_string(keeper.error().kind)) + " " + keeper.error().message);
    return 3;
  }
  if (*keeper == nullptr) {
    report("nobody");
    return 0;
  }
  report("driving");
  for (const auto& child : (*keeper)->adopted()) report_when_done(child.operation, child.attempt);
  for (int i = 2; words[i] != nullptr; ++i) {
    const ChildSpec spec = driven_child(words[i], i - 1);
    report_when_done((*keeper)->spawn(spec), spec.attempt);
  }
  while ((*keeper)->live() > 0) loop.run_once();
  const bool superseded = (*keeper)->superseded();
  const auto before = clock.monotonic_ms();
  keeper->reset();
  report(std::string(superseded ? "superseded" : "ended") + " after " +
         std::to_string(clock.monotonic_ms() - before));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  program = argv[0];
  std::string role = argv[1];
  if (role == "keeper") return moonlet::keeper_main(argc - 2, argv + 2);
  if (argc < 4) return 2;
  tag = argv[3];
  if (argc > 4) argument = argv[4];
  if (role == "act") return act(argv[2]);
  if (role == "drive" && argc > 5) return drive(argv[2], argv + 4);
  return role == "host" && argc > 4 ? host(argv[2], std::atoi(argv[4])) : 2;
}
