#include "lua/vm/services.h"

#include <unistd.h>

#include "host/driver/run_driver.h"
#include "lua/vm/error.h"

namespace moonlet {

namespace {
const char kServicesKey = 0;
}

Services::Services(const Clock& clock_in, Loop& loop_in, std::vector<std::string> environment_in)
    : clock(clock_in),
      loop(loop_in),
      environment(std::move(environment_in)),
      redactor({}, environment),
      bus(std::make_unique<Bus>(redactor, clock)) {}

Services::~Services() {
  if (close_prompt) close_prompt();
  run.reset();
  show(nullptr);
}

void Services::show(std::function<void(const Event&)> fn) {
  if (display_) bus->remove(*display_);
  display_.reset();
  if (live_) {
    live_->finish();
    live_.reset();
    print = std::move(print_itself_);
  }
  if (!fn) return;
  display_ = std::make_unique<CallbackSink>(std::move(fn));
  bus->add(*display_);
}

void Services::print_beside_view(int stream, std::string_view text) {
  if (stream == STDOUT_FILENO && isatty(STDOUT_FILENO) != 1) return print_itself_(stream, text);
  live_->print_above(text, [this, stream](std::string_view part) { print_itself_(stream, part); });
}

bool Services::show_live(std::function<bool(const Event&)> prints, bool watches) {
  const auto lookup = [this](std::string_view name) { return env(name); };
  if (!interactive || !print || !can_show_live(STDERR_FILENO, lookup)) return false;
  show(nullptr);
  auto options = LiveTerminal::options_from(lookup);
  if (watches) options.help = options.help_stopping = "^C leaves it running";
  options.fd = STDERR_FILENO;
  options.keys = STDIN_FILENO;
  options.take_continued = take_continued;
  options.write = [this](std::string_view text) { print_itself_(STDERR_FILENO, text); };
  auto view = std::make_shared<LiveTerminal>(loop, std::move(options));
  show([view, prints = std::move(prints)](const Event& event) {
    if (!prints || !prints(event)) view->emit(event);
  });
  print_itself_ = std::move(print);
  print = [this](int stream, std::string_view text) { print_beside_view(stream, text); };
  live_ = std::move(view);
  return true;
}

Services& Services::of(lua_State* L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kServicesKey);
  auto* self = static_cast<Services*>(lua_touserdata(L, -1));
  lua_pop(L, 1);
  return *self;
}

void Services::set(lua_State* L, Services& services) {
  lua_pushlightuserdata(L, &services);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &kServicesKey);
}

const char* Services::env(std::string_view name) const {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry[name.size()] == '=' &&
        entry.compare(0, name.size(), name) == 0) {
      return entry.c_str() + name.size() + 1;
    }
  }
  return nullptr;
}

std::string Services::state_dir() const {
  const auto is_absolute = [](const char* path) { return path != nullptr && path[0] == '/'; };
  if (const char* base = env("XDG_STATE_HOME"); is_absolute(base)) {
    return std::string(base) + "/moonlet";
  }
  const char* home = env("HOME");
  return is_absolute(home) ? std::string(home) + "/.local/state/moonlet" : std::string();
}

RunDriver& check_run(lua_State* L) {
  Services& services = Services::of(L);
  if (!services.run) luaL_error(L, "no run is being driven");
  return *services.run;
}

void count_output(lua_State* L, std::size_t bytes) {
  constexpr std::size_t kMost = std::size_t{8} << 20;
  constexpr std::size_t kOverhead = 64;  // so that empty lines also count
  Services& services = Services::of(L);
  if (services.logged_bytes > kMost) {
    raise(L, ErrorKind::kLimit, "the script logged more than 8 MB",
          "write what is long to an artifact: ctx:write(name, text)");
  }
  services.logged_bytes += bytes + kOverhead;
}

}  // namespace moonlet
