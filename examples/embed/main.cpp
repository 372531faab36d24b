// Embeds moonlet in a C++ program: offers functions to a preset, prints the run's events, and
// drives the engine with epoll.
//   embed [--cancel-after MS] [--resume RUN] [REPOSITORY [PRESET [OPTIONS]]]
// Without PRESET, the program runs a preset of its own, which asks the program for tickets and
// closes them. OPTIONS is a JSON object with the options of `moonlet run`.
// To see how a run recovers, kill the program with -9 and use --resume: no ticket is closed twice.
#include <moonlet/engine.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

namespace {

constexpr const char* kPreset = R"lua(
local m = require "moonlet"

return m.preset {
  name = "tickets",
  summary = "Closes the open tickets of the program.",
  needs = { host = { "open_tickets", "close_ticket" } },
  args = { pause = m.arg.duration { default = "0s" } },
  run = function(ctx, args)
    local closed = {}
    for _, ticket in ipairs(ctx.host.open_tickets {}) do
      closed[#closed + 1] = ctx.host.close_ticket { id = ticket.id, note = "done" }.id
      ctx:sleep(args.pause)
    end
    return { closed = closed }
  end,
}
)lua";

/// Prints the error and returns the program's exit code.
int fail(const moonlet::Error& error) {
  std::cerr << moonlet::text_of(error);
  return 1;
}

moonlet::Result<void> provide_tickets(moonlet::Engine& engine) {
  moonlet::NativeFunction open;
  open.name = "open_tickets";
  open.effect = moonlet::NativeFunction::Effect::kObserve;
  open.call = [](const moonlet::Call&, const moonlet::Reply& reply) {
    reply.result(R"([{"id": 1}, {"id": 2}, {"id": 3}])");
  };
  if (auto done = engine.provide(std::move(open)); !done) return done;

  moonlet::NativeFunction close;
  close.name = "close_ticket";
  close.schema = R"({"type": "object", "required": ["id", "note"]})";
  close.timeout_ms = 10'000;
  // Answer on another thread, as a program would that waits for a database.
  close.call = [](const moonlet::Call& call, const moonlet::Reply& reply) {
    std::thread([call, reply] {
      std::cerr << "closing " << call.arguments() << "\n";
      reply.result(call.arguments());
    }).detach();
  };
  return engine.provide(std::move(close));
}

/// Drives the engine until all runs have ended. A program can add its own descriptors to the epoll.
int drive(moonlet::Engine& engine) {
  const int poller = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(poller, EPOLL_CTL_ADD, engine.descriptor(), &event);
  for (bool busy = true; busy;) {
    epoll_wait(poller, &event, 1, engine.timeout());
    auto turned = engine.turn();
    if (!turned) return fail(turned.error());
    busy = *turned;
  }
  close(poller);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (const int status = moonlet_keeper(argc, argv); status >= 0) return status;
  int cancel_after_ms = -1;
  std::string resumed;
  for (; argc > 2 && argv[1][0] == '-'; argc -= 2, argv += 2) {
    const std::string option = argv[1];
    if (option == "--cancel-after") cancel_after_ms = std::atoi(argv[2]);
    if (option == "--resume") resumed = argv[2];
  }

  moonlet::EngineOptions options;
  if (argc > 1) options.directory = argv[1];
  options.log = [](std::string_view text) { std::cerr << "moonlet: " << text << "\n"; };
  auto engine = moonlet::Engine::open(std::move(options));
  if (!engine) return fail(engine.error());
  if (auto done = provide_tickets(*engine); !done) return fail(done.error());
  if (auto done = engine->add_preset("tickets", {{"init.lua", kPreset}}); !done) {
    return fail(done.error());
  }
  auto listening = engine->on_event([](const moonlet::RunEvent& event) {
    std::cerr << event.number << " " << event.name << " " << event.step << "\n";
  });
  if (!listening) return fail(listening.error());

  moonlet::Request request;
  request.target = argc > 2 ? argv[2] : "tickets";
  request.options = argc > 3 ? argv[3] : R"({"allow": "needs"})";
  if (const char* arguments = std::getenv("EMBED_ARGUMENTS")) request.arguments = arguments;
  auto run = resumed.empty() ? engine->start(request) : engine->resume(resumed);
  if (!run) return fail(run.error());
  std::thread canceller;
  if (cancel_after_ms >= 0) {
    canceller = std::thread([run = *run, cancel_after_ms] {
      std::this_thread::sleep_for(std::chrono::milliseconds(cancel_after_ms));
      run.cancel();
    });
  }
  const int driven = drive(*engine);
  if (canceller.joinable()) canceller.join();
  if (driven != 0) return driven;
  auto outcome = run->result();
  if (!outcome) return fail(outcome.error());
  std::cout << outcome->envelope << "\n";
  return outcome->exit_code;
}
