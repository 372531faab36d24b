// The main function of the moonlet executable. It runs the commands `keeper`, `web` and
// `--version`; an engine runs all others. It includes only public headers, as any program that
// embeds moonlet.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <moonlet/engine.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Signalled has the objects that signal handlers use.
struct Signalled {
  moonlet::Engine* engine;
  moonlet::Run* run;
};
Signalled* signalled = nullptr;

void on_continue(int) {
  if (signalled != nullptr) signalled->engine->continued();
}

/// Printed before an immediate exit. Otherwise the live view would be the last text on the
/// terminal, as if the run continued.
constexpr std::string_view kNotWaited =
    "\nmoonlet: ended at once: a run that it drove is interrupted, and not cleaned up\n"
    "  moonlet list shows it; moonlet resume continues it, moonlet cancel cleans "
    "it up\n";

/// Handles a signal that asks the process to end. The first signal cancels the run; a second signal
/// exits immediately. The keeper then notices that its host is gone and kills the children.
void on_signal(int signal) {
  static volatile sig_atomic_t seen = 0;
  if (seen != 0) {
    moonlet::Engine::restore_terminal();
    (void)!write(STDERR_FILENO, kNotWaited.data(), kNotWaited.size());
    _exit(128 + signal);
  }
  seen = 1;
  if (signalled != nullptr) signalled->run->cancel();
}

/// Restores the terminal, and lets the signal end the process.
void on_crash(int signal) {
  moonlet::Engine::restore_terminal();
  raise(signal);
}

/// Installs a signal handler and returns the previous one.
struct sigaction handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {
  }, before{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, &before);
  return before;
}

auto handler_of(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler;
}

void watch_signals(Signalled& reached) {
  signalled = &reached;
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // Keep ignoring a signal that the caller ignores, as nohup and a script's background jobs do.
    if (handler_of(signal) != SIG_IGN) handle(signal, on_signal, 0);
  }
  for (int signal : {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    if (handler_of(signal) == SIG_DFL) handle(signal, on_crash, SA_RESETHAND);
  }
  handle(SIGCONT, on_continue, SA_RESTART);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a write beyond the file size limit then fails with EFBIG
}

/// ThreadSanitizer delays a signal until the thread calls a library function. A Lua loop may never
/// call one, so use no signal.
#if defined(__SANITIZE_THREAD__)
constexpr int kInterruptSignal = 0;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr int kInterruptSignal = 0;
#else
constexpr int kInterruptSignal = SIGURG;
#endif
#else
constexpr int kInterruptSignal = SIGURG;  // by default, a stray SIGURG is ignored
#endif

int lost_output = 0;  // errno of the first failed write of the result

void print(int stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote =
        write(stream == 1 ? STDOUT_FILENO : STDERR_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    // Standard output can be non-blocking: it may be the same socket as standard input, which the
    // reader of input has made non-blocking.
    if (wrote < 0 && errno == EAGAIN) {
      pollfd ready{stream == 1 ? STDOUT_FILENO : STDERR_FILENO, POLLOUT, 0};
      ::poll(&ready, 1, -1);
      continue;
    }
    if (wrote < 0) {
      // EPIPE means that the reader has closed the pipe on purpose. After any other error the
      // result is incomplete, so remember the error.
      if (stream == 1 && errno != EPIPE && lost_output == 0) lost_output = errno;
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

/// Redirects all further output to the log file, because the process that started this one has
/// exited.
void print_into(const std::string& log) {
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  close(fd);
}

/// Printed if there is no memory to format an envelope.
constexpr std::string_view kNoMemoryEnvelope =
    R"({"ok":false,"command":"","run":null,"result":null,"error":{"kind":"failed",)"
    R"("message":"out of memory","hint":"raise `ulimit -v`, or end other programs","at":null}})"
    "\n";
constexpr std::string_view kNoMemory =
    "moonlet: out of memory\n  raise `ulimit -v`, or end other programs\n";

/// True if the user asked for JSON. Then standard output gets an envelope for an error, too.
bool ends_with_envelope = false;

bool wants_envelope(int argc, char** argv) {
  for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
    if (std::strcmp(argv[i], "--json") == 0 || std::strcmp(argv[i], "--events") == 0) return true;
  }
  return false;
}

/// Prints a fixed text, without allocating memory.
int report_fixed(std::string_view envelope, std::string_view text) {
  print(ends_with_envelope ? 1 : 2, ends_with_envelope ? envelope : text);
  return 1;
}

int report(const char* command, const moonlet::Error& error) {
  try {
    print(ends_with_envelope ? 1 : 2,
          ends_with_envelope ? envelope_of(command, error) + "\n" : text_of(error));
    return 1;
  } catch (const std::bad_alloc&) {
    return report_fixed(kNoMemoryEnvelope, kNoMemory);
  }
}

/// Exits because Lua cannot be stopped. The keeper continues, and all records are on disk.
[[noreturn]] void end_stuck_host(const char* command, const std::string& why) {
  moonlet::Engine::restore_terminal();
  (void)report(command, {moonlet::ErrorKind::kLimit,
                         why + ", and it could not be stopped: the host ends itself",
                         {},
                         {}});
  _exit(1);
}

/// Opens closed standard descriptors on /dev/null, so that a file opened later cannot become one of
/// them.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", O_RDWR);
  }
}

/// Replaces this process by moonlet-web, the web server in this executable's folder. Does nothing
/// if moonlet-web is not installed or the arguments have `--help`. The engine then runs the command
/// `web`, which prints an error or the help.
void become_web(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) return;
  }
  std::string program = moonlet::own_program();
  if (program.empty()) return;
  program.replace(program.rfind('/') + 1, std::string::npos, "moonlet-web");
  std::string name = "moonlet-web";
  std::vector<char*> words = {name.data()};
  words.insert(words.end(), argv + 2, argv + argc);
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
}

/// Exits after an exception that cannot be caught, such as bad_alloc in a destructor or in a thread
/// of a library. The keeper continues, and all records are on disk.
[[noreturn]] void end_without_memory() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    report_fixed(kNoMemoryEnvelope, kNoMemory);
    _exit(1);
  } catch (...) {
    std::abort();
  }
}

constexpr std::string_view kNoLoopEnvelope =
    R"({"ok":false,"command":"","run":null,"result":null,"error":{"kind":"failed",)"
    R"("message":"cannot open an event loop: the system refused a pipe, EMFILE or ENFILE",)"
    R"("hint":"too many open files: raise `ulimit -n`, or end other programs","at":null}})"
    "\n";
constexpr std::string_view kNoLoop =
    "moonlet: cannot open an event loop: the system refused a pipe, EMFILE or ENFILE\n"
    "  too many open files: raise `ulimit -n`, or end other programs\n";

/// Handles SIGABRT while an engine opens. libuv aborts if it cannot create the signal pipe of the
/// first loop.
void on_no_loop(int) {
  report_fixed(kNoLoopEnvelope, kNoLoop);
  _exit(1);
}

moonlet::Result<moonlet::Engine> open_engine(moonlet::EngineOptions options) {
  const auto before = handle(SIGABRT, on_no_loop, 0);
  auto engine = moonlet::Engine::open(std::move(options));
  sigaction(SIGABRT, &before, nullptr);
  return engine;
}

int run_command(int argc, char** argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const char* command = argc > 1 ? argv[1] : "";
  moonlet::EngineOptions options;
  options.print = print;
  options.interactive = true;
  options.own_process = true;
  options.on_detached = print_into;
  options.interrupt_signal = kInterruptSignal;
  options.on_stuck = [=](const std::string& why) { end_stuck_host(command, why); };
  if (kInterruptSignal != 0) {
    handle(kInterruptSignal, moonlet::Engine::on_interrupt, SA_RESTART);
  }
  auto engine = open_engine(std::move(options));
  if (!engine) return report(command, engine.error());
  auto run = engine->start(moonlet::Request::command(words));
  if (!run) return report(command, run.error());
  Signalled reached{&*engine, &*run};
  watch_signals(reached);
  const auto ended = run->wait();
  signalled = nullptr;
  if (!ended) return report(command, ended.error());
  const auto outcome = run->result();
  if (!outcome) return report(command, outcome.error());
  if (lost_output != 0) {
    std::fprintf(stderr,
                 "moonlet: the result could not be printed: %s\n  the record is under .agent/\n",
                 std::strerror(lost_output));
    return outcome->exit_code == 0 ? 1 : outcome->exit_code;
  }
  return outcome->exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int status = moonlet_keeper(argc, argv); status >= 0) return status;
  const std::string_view word = argc == 2 ? argv[1] : "";
  if (word == "--version" || word == "-V" || word == "-v" || word == "version") {
    std::printf("%s\n", moonlet::version_line().data());
    return 0;
  }
  fill_standard_descriptors();
  if (argc >= 2 && std::strcmp(argv[1], "web") == 0) become_web(argc, argv);
  ends_with_envelope = wants_envelope(argc, argv);
  std::set_terminate(end_without_memory);
  try {
    return run_command(argc, argv);
  } catch (const std::bad_alloc&) {
    return report_fixed(kNoMemoryEnvelope, kNoMemory);
  }
}
