// The moonlet executable: the keeper command, the version, and everything else by the engine.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/process/keeper/keeper.h"
#include "moonlet/engine.h"

namespace {

moonlet::Engine* signalled = nullptr;

void on_continue(int) {
  if (signalled != nullptr) signalled->continued();
}

/// The last words of a host that does not wait: a live view stays on the terminal as it was, and
/// would be believed.
constexpr std::string_view kNotWaited =
    "\nmoonlet: ended at once: a run that it drove is interrupted, and not cleaned up\n"
    "  moonlet run list shows it; moonlet run resume goes on, moonlet run cancel puts it in "
    "order\n";

/// The first signal asks the run to end; a second one does not wait. The keeper, which sees its
/// host go, ends what is left.
void on_signal(int signal) {
  static volatile sig_atomic_t seen = 0;
  if (seen != 0) {
    (void)!write(STDERR_FILENO, kNotWaited.data(), kNotWaited.size());
    _exit(128 + signal);
  }
  seen = 1;
  if (signalled != nullptr) signalled->cancel();
}

void watch_signals(moonlet::Engine& engine) {
  signalled = &engine;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    // A command that was started with nohup, or in the background of a script, stays deaf to it.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    sigaction(signal, &action, nullptr);
  }
  action.sa_handler = on_continue;
  action.sa_flags = SA_RESTART;
  sigaction(SIGCONT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file too large is an error of its write
}

/// Sanitizers hold signals back while a thread makes no call, as a loop of Lua does not.
#if defined(__SANITIZE_THREAD__)
constexpr int kInterruptSignal = 0;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr int kInterruptSignal = 0;
#else
constexpr int kInterruptSignal = SIGURG;
#endif
#else
constexpr int kInterruptSignal = SIGURG;  // ignored by default, so a stray one does no harm
#endif

/// How Lua's time limit reaches code that makes no call.
void install_interrupt() {
  if (kInterruptSignal == 0) return;
  struct sigaction action {};
  action.sa_handler = moonlet::Engine::on_interrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(kInterruptSignal, &action, nullptr);
}

int lost_output = 0;  // the errno of the first write of the result that failed

void print(int stream, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote =
        write(stream == 1 ? STDOUT_FILENO : STDERR_FILENO, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      // A reader that went away has seen enough; anything else would pass a cut result as whole.
      if (stream == 1 && errno != EPIPE && lost_output == 0) lost_output = errno;
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

/// Whoever started this process has read the run's id and is gone.
void print_into(const std::string& log) {
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  close(fd);
}

bool wants_envelope(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--json" || word == "--events") return true;
  }
  return false;
}

/// The envelope of a command that did not come to print one. Empty where there is no memory for it.
std::string envelope_of(const std::vector<std::string>& words, const moonlet::Error& error) {
  using nlohmann::json;
  const auto some = [](const std::string& text) { return text.empty() ? json() : json(text); };
  try {
    const json envelope = {{"ok", false},
                           {"command", words.empty() ? std::string() : words[0]},
                           {"run", nullptr},
                           {"result", nullptr},
                           {"error",
                            {{"kind", to_string(error.kind)},
                             {"message", error.message},
                             {"hint", some(error.hint)},
                             {"at", some(error.at)}}}};
    return envelope.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  } catch (const std::exception&) {
    return {};
  }
}

int report(const std::vector<std::string>& words, const moonlet::Error& error) {
  if (wants_envelope(words)) {
    if (const std::string text = envelope_of(words, error); !text.empty()) {
      print(1, text);
      return 1;
    }
  }
  std::fprintf(stderr, "moonlet: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  return 1;
}

/// The last resort. The keeper and the files hold everything that matters.
[[noreturn]] void end_stuck_host(const std::vector<std::string>& words, const std::string& why) {
  moonlet::Error error;
  error.kind = moonlet::ErrorKind::kLimit;
  error.message = why + ", and it could not be stopped: the host ends itself";
  (void)report(words, error);
  std::fflush(stderr);
  _exit(1);
}

/// A descriptor 0, 1 or 2 that was closed would be taken by the next file that is opened.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", O_RDWR);
  }
}

/// This very program, whatever its name is; empty where the system does not tell, or it was
/// replaced meanwhile.
std::string own_program() {
  char path[PATH_MAX];
  std::size_t size = sizeof path;
  if (uv_exepath(path, &size) != 0 || access(path, X_OK) != 0) return {};
  return {path, size};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::strcmp(argv[1], "--version") == 0 || std::strcmp(argv[1], "-V") == 0)) {
    std::printf("moonlet %s\n", MOONLET_VERSION);
    return 0;
  }
  if (argc >= 2 && std::strcmp(argv[1], "keeper") == 0) {
    return moonlet::keeper_main(argc - 2, argv + 2);
  }
  fill_standard_descriptors();
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  moonlet::EngineOptions options;
  options.moonlet_program = own_program();
  options.print = print;
  options.interactive = true;
  options.on_detached = print_into;
  options.interrupt_signal = kInterruptSignal;
  options.on_stuck = [&words](const std::string& why) { end_stuck_host(words, why); };
  install_interrupt();
  auto engine = moonlet::Engine::open(std::move(options));
  if (!engine) return report(words, engine.error());
  watch_signals(*engine);
  auto outcome = engine->command(words);
  signalled = nullptr;
  if (!outcome) return report(words, outcome.error());
  if (lost_output != 0) {
    std::fprintf(stderr,
                 "moonlet: the result could not be printed: %s\n  the record is under .agent/\n",
                 std::strerror(lost_output));
    return outcome->exit_code == 0 ? 1 : outcome->exit_code;
  }
  return outcome->exit_code;
}
