// The moonlet-web executable. It serves the page for the work trees that its options name.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <cstdio>
#include <string>
#include <vector>

#include "host/artifact/file/dir.h"
#include "host/base/text.h"
#include "host/process/client/helper.h"
#include "host/web/access.h"
#include "host/web/address.h"
#include "host/web/commands.h"
#include "host/web/hub.h"
#include "host/web/options.h"
#include "host/web/repo.h"
#include "host/web/server.h"
#include "host/web/site.h"

namespace moonlet::web {

namespace {

constexpr int kExitUsage = 2, kExitFailed = 1;

volatile std::sig_atomic_t stop = 0;

void on_signal(int) { stop = 1; }

int refuse(const Error& error) {
  std::fprintf(stderr, "moonlet web: error: %s\n", printable(error.message).c_str());
  if (!error.at.empty() && error.message.find(error.at) == std::string::npos) {
    std::fprintf(stderr, "  at %s\n", printable(error.at).c_str());
  }
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", error.hint.c_str());
  return error.kind == ErrorKind::kInvalid || error.kind == ErrorKind::kDenied ? kExitUsage
                                                                               : kExitFailed;
}

std::string state_dir() {
  const char* state = ::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/moonlet";
  const char* home = ::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.local/state/moonlet" : "";
}

/// Returns the path of the `moonlet` in the folder of this executable.
Result<std::string> moonlet_program() {
  char path[4096];
  std::size_t size = sizeof path;
  if (uv_exepath(path, &size) == 0) {
    std::string program(path, size);
    program.replace(program.rfind('/') + 1, std::string::npos, "moonlet");
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return Error{ErrorKind::kInvalid, "moonlet is not installed beside moonlet-web",
               "cmake --install build/release installs both"};
}

/// Opens the URL in a browser. Writes it to a private file first, because other users can see the
/// arguments of a program, and the URL contains the token.
void open_browser(const std::string& url, const std::string& state) {
  auto dir = Dir::make(state + "/web");
  const std::string page =
      "<!doctype html><meta http-equiv=refresh content=\"0;url=" + url + "\">\n";
  if (!dir || !dir->write_file("open.html", page, Durable::kNo, {}, 0600)) return;
  for (const char* program : {"/usr/bin/xdg-open", "/usr/bin/open"}) {
    if (::access(program, X_OK) != 0) continue;
    HelperCall call{{program, dir->path_of("open.html")}, own_environment()};
    (void)start_helper(call, -1, -1);
    return;
  }
  std::fputs("moonlet web: no program opens a browser here: open the address yourself\n", stderr);
}

int serve(const Options& options) {
  auto program = moonlet_program();
  if (!program) return refuse(program.error());
  const std::string state = state_dir();
  auto address = options.socket.empty() ? Address::on_port(options.port, state)
                                        : Address::on_socket(options.socket, state);
  if (!address) return refuse(address.error());
  std::vector<Repo> repos;
  for (const std::string& folder : options.repos) {
    auto repo = Repo::open(folder);
    if (!repo) return refuse(repo.error());
    repos.push_back(std::move(*repo));
  }
  const Access access(address->port(), address->token());
  Hub hub(repos);
  Site site(repos, hub, access, *program);
  auto server = Server::start(address->take_socket(), access,
                              [&](const Request& request) { return site.answer(request); });
  if (!server) return refuse(server.error());
  std::printf("%s\n", address->url().c_str());
  std::fflush(stdout);
  if (!options.socket.empty()) {
    const std::string socket = printable(options.socket);
    std::fprintf(stderr, "moonlet web: listening at %s; forward a port to it: ssh -L %d:%s HOST\n",
                 socket.c_str(), kDefaultPort, socket.c_str());
  }
  if (options.open) open_browser(address->url(), state);
  (*server)->run(stop, [&] {
    hub.tick();
    reap_commands();
  });
  return 0;
}

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  auto options = read_options({argv + 1, argv + argc});
  if (!options) return refuse(options.error());
  if (!options->version) return serve(*options);
  std::puts("moonlet-web " MOONLET_VERSION);
  return 0;
}

}  // namespace

}  // namespace moonlet::web

int main(int argc, char** argv) { return moonlet::web::main(argc, argv); }
