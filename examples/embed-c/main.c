/* Embeds moonlet in a C program: offers a function to a preset, prints the run's events, and drives
 * the engine with poll().
 *   embed-c [REPOSITORY] */
#include <moonlet/moonlet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char preset[] =
    "local m = require 'moonlet'\n"
    "return m.preset {\n"
    "  name = 'greet', summary = 'Asks the program for a name.', needs = { host = { 'name' } },\n"
    "  args = { greeting = m.arg.string { default = 'Hello' } },\n"
    "  run = function(ctx, args)\n"
    "    local text = args.greeting .. ', ' .. ctx.host.name { id = 7 } .. '!'\n"
    "    ctx:write('greeting.txt', text)\n"
    "    return text\n"
    "  end,\n"
    "}\n";

/* Answers a call with the name that belongs to the id in its arguments. */
static void give_name(void* data, moonlet_call* call) {
  const char* const* names = data;
  if (strcmp(moonlet_call_arguments(call), "{\"id\":7}") == 0) {
    moonlet_call_result(call, names[0]);
  } else {
    moonlet_call_error(call, "invalid", "there is no such id", "ask for 7");
  }
}

static void print_event(void* data, const moonlet_event* event) {
  (void)data;
  fprintf(stderr, "%llu %s %s\n", (unsigned long long)event->number, event->type, event->step);
}

/* Drives the engine until all runs have ended. A program can add its own descriptors to the
 * poll(). */
static int drive(moonlet_engine* engine) {
  int busy = 1;
  while (busy) {
    struct pollfd ready = {moonlet_engine_descriptor(engine), POLLIN, 0};
    poll(&ready, 1, moonlet_engine_timeout(engine));
    if (moonlet_error_print(moonlet_engine_turn(engine, &busy))) return 1;
  }
  return 0;
}

static void print_artifact(moonlet_run* run, const char* name) {
  int fd;
  char text[256];
  if (moonlet_error_print(moonlet_run_open_artifact(run, name, &fd))) return;
  const ssize_t size = read(fd, text, sizeof text);
  close(fd);
  if (size > 0) printf("%s: %.*s\n", name, (int)size, text);
}

int main(int argc, char** argv) {
  const int keeper = moonlet_keeper(argc, argv);
  if (keeper >= 0) return keeper;

  moonlet_options options;
  moonlet_options_init(&options);
  options.directory = argc > 1 ? argv[1] : NULL;
  options.flags = MOONLET_NO_CONFIG;
  moonlet_engine* engine;
  if (moonlet_error_print(moonlet_engine_open(&options, &engine))) return 1;

  static const char* names[] = {"\"Ada\""};
  moonlet_function function = MOONLET_FUNCTION_INIT;
  function.name = "name";
  function.flags = MOONLET_OBSERVES;
  function.schema = "{\"type\": \"object\", \"required\": [\"id\"]}";
  function.result_schema = "{\"type\": \"string\"}";
  function.call = give_name;
  function.data = names;
  const moonlet_file file = {"init.lua", preset};
  moonlet_run* run;
  if (moonlet_error_print(moonlet_engine_provide(engine, &function)) ||
      moonlet_error_print(moonlet_engine_add_preset(engine, "greet", &file, 1)) ||
      moonlet_error_print(moonlet_engine_on_event(engine, print_event, NULL, NULL)) ||
      moonlet_error_print(moonlet_engine_start(engine, "greet", "{\"greeting\": \"Good day\"}",
                                               "{\"allow\": \"needs\"}", &run))) {
    moonlet_engine_free(engine);
    return 1;
  }

  int exit_code = 1;
  const char* envelope;
  if (drive(engine) == 0 && !moonlet_error_print(moonlet_run_result(run, &envelope, &exit_code))) {
    puts(envelope);
    print_artifact(run, "greeting.txt");
  }
  moonlet_run_free(run);
  moonlet_engine_free(engine);
  return exit_code;
}
